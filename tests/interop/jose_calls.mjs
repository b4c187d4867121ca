// What the tests ask of jose: a call for each line of JSON that comes, an answer for each, until the input ends.
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const found = createRequire(new URL('../client/package.json', import.meta.url)).resolve('jose')
const jose = await import(pathToFileURL(found))

const answered = ({ payload, protectedHeader }) => ({ claims: payload, header: protectedHeader })
const bytes = (secret) => new TextEncoder().encode(secret)

const calls = {
  verifyBySet: async ({ token, jwks, options }) =>
    answered(await jose.jwtVerify(token, jose.createLocalJWKSet(jwks), options)),
  verifyByUrl: async ({ token, url, options }) =>
    answered(await jose.jwtVerify(token, jose.createRemoteJWKSet(new URL(url)), options)),
  verifyBySecret: async ({ token, secret, options }) => answered(await jose.jwtVerify(token, bytes(secret), options)),

  // A key that jose makes, in every form it exports; PKCS #1 and SEC 1 are Node's own.
  generate: async ({ alg }) => {
    const pair = await jose.generateKeyPair(alg, { extractable: true })
    const [pkcs8, spki] = [await jose.exportPKCS8(pair.privateKey), await jose.exportSPKI(pair.publicKey)]
    const [secret, open] = [createPrivateKey(pkcs8), createPublicKey(spki)]
    const own = { ec: 'sec1', rsa: 'pkcs1' }[secret.asymmetricKeyType]
    return {
      jwk: await jose.exportJWK(pair.privateKey),
      publicJwk: await jose.exportJWK(pair.publicKey),
      pkcs8,
      spki,
      ownPrivate: own && secret.export({ type: own, format: 'pem' }),
      ownPublic: own === 'pkcs1' ? open.export({ type: 'pkcs1', format: 'pem' }) : undefined,
    }
  },
  sign: async ({ jwk, header, claims }) =>
    new jose.SignJWT(claims).setProtectedHeader(header).sign(await jose.importJWK(jwk, header.alg)),
  signBySecret: async ({ secret, header, claims }) =>
    new jose.SignJWT(claims).setProtectedHeader(header).sign(bytes(secret)),
  thumbprint: async ({ jwk }) => jose.calculateJwkThumbprint(jwk),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...options } = JSON.parse(line)
  let answer
  try {
    answer = { value: await calls[call](options) }
  } catch (error) {
    answer = { error: error.code ?? `${error}` }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

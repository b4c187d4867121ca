/** After too many wrong passwords: a button that counts down, and comes back by itself. */

const seconds = (number) => (number === 1 ? "1 second" : `${number} seconds`);

/** What to tell somebody who has to wait. */
export function wordsOfWait(left) {
  return `Too many wrong attempts. You can try again in ${seconds(left)}; until then the right password is refused, too.`;
}

/**
 * Let nobody press `button` for `left` seconds; then call `over`. Gives back what ends it before its time, without that.
 * The seconds are in no live region: nobody wants to hear each of them.
 */
export function countDown(button, left, over) {
  const label = button.textContent;
  const until = performance.now() + 1000 * left;
  const show = () => {
    const rest = Math.ceil((until - performance.now()) / 1000);
    button.textContent = `Wait ${rest} s`;
    if (rest <= 0) {
      end();
      over();
    }
  };
  const end = () => {
    clearInterval(timer);
    button.textContent = label;
    button.ariaDisabled = "false";
  };
  const timer = setInterval(show, 250);
  button.ariaDisabled = "true";
  show();
  return end;
}

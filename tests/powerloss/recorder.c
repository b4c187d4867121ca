/* Writes down, in one order, what a process asks the system to do to the files of one directory.
 *
 * For LD_PRELOAD. RECORDER_DIRECTORY is the directory (absolute, no links), RECORDER_LOG the file that is appended to,
 * and the process adds remarks of its own with recorder_mark(). A record is the header below and `length` bytes:
 *
 *   O  fd was opened; the bytes are the name within the directory, none for the directory itself
 *   W  the bytes were written to fd at offset
 *   T  fd was cut or grown to offset bytes
 *   S  fd was synced (fsync or fdatasync), successfully
 *   U  the name was unlinked
 *   M  a remark
 *
 * One lock is held around each call and its record, so the order of the log is the order in which things happened: a
 * write that stands before a sync in the log had returned before that sync began. SQLite's shared-memory index ("-shm")
 * is left out: it does not survive a reboot. Whatever else might change a file is not seen here; the reader compares
 * the files that the log makes with the real ones, and would notice.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MOST_FDS 4096

struct header {
    int32_t kind, fd;
    int64_t offset, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *directory;
static int log_fd = -1;
static char watched[MOST_FDS];

__attribute__((constructor)) static void begin(void)
{
    directory = getenv("RECORDER_DIRECTORY");
    if (directory)
        log_fd = REAL(open)(getenv("RECORDER_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
}

static void record(char kind, int fd, int64_t offset, const void *bytes, size_t length)
{
    struct header header = {kind, fd, offset, (int64_t)length};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)bytes, length}};
    if (writev(log_fd, parts, 2) != (ssize_t)(sizeof header + length))
        abort(); /* a log with a hole would prove nothing */
}

/* The name of a path within the directory, "" for the directory itself, NULL for all that is of no interest. */
static const char *name_of(const char *path)
{
    size_t length = directory ? strlen(directory) : 0, whole = strlen(path);
    if (!length || strncmp(path, directory, length) || (path[length] && path[length] != '/'))
        return NULL;
    if (whole > 4 && !strcmp(path + whole - 4, "-shm"))
        return NULL;
    return path[length] ? path + length + 1 : path + length;
}

static void opened(int fd, const char *path)
{
    const char *name = fd >= 0 ? name_of(path) : NULL;
    if (!name)
        return;
    if (fd >= MOST_FDS)
        abort();
    watched[fd] = 1;
    record('O', fd, 0, name, strlen(name));
}

/* `function(arguments)` of the C library; what is to be recorded if it succeeded comes last. */
#define CALL(type, name, arguments, record_it) \
    {                                          \
        pthread_mutex_lock(&lock);             \
        type result = REAL(name) arguments;    \
        if (result >= 0)                       \
            record_it;                         \
        pthread_mutex_unlock(&lock);           \
        return result;                         \
    }
#define OPEN(name)                                                 \
    int name(const char *path, int flags, ...)                     \
    {                                                              \
        va_list more;                                              \
        va_start(more, flags);                                     \
        int mode = flags & O_CREAT ? va_arg(more, int) : 0;        \
        va_end(more);                                              \
        CALL(int, name, (path, flags, mode), opened(result, path)) \
    }
#define FOR_WATCHED(type, name, arguments, record_it) \
    {                                                 \
        if (fd < 0 || fd >= MOST_FDS || !watched[fd]) \
            return REAL(name) arguments;              \
        CALL(type, name, arguments, record_it)        \
    }

#define PWRITE(name, type)                                              \
    ssize_t name(int fd, const void *bytes, size_t length, type offset) \
    FOR_WATCHED(ssize_t, name, (fd, bytes, length, offset), record('W', fd, offset, bytes, (size_t)result))
#define TRUNCATE(name, type)    \
    int name(int fd, type size) \
    FOR_WATCHED(int, name, (fd, size), record('T', fd, size, "", 0))
#define SYNC(name)   \
    int name(int fd) \
    FOR_WATCHED(int, name, (fd), record('S', fd, 0, "", 0))

OPEN(open)
OPEN(open64)
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
SYNC(fsync)
SYNC(fdatasync)

/* Where SQLite was built without pwrite, it seeks first. */
ssize_t write(int fd, const void *bytes, size_t length)
FOR_WATCHED(ssize_t, write, (fd, bytes, length), record('W', fd, lseek(fd, 0, SEEK_CUR) - result, bytes, (size_t)result))

int close(int fd)
FOR_WATCHED(int, close, (fd), watched[fd] = 0)

int unlink(const char *path)
{
    const char *name = name_of(path);
    if (!name)
        return REAL(unlink)(path);
    CALL(int, unlink, (path), record('U', -1, 0, name, strlen(name)))
}

void recorder_mark(const char *text)
{
    pthread_mutex_lock(&lock);
    record('M', -1, 0, text, strlen(text));
    pthread_mutex_unlock(&lock);
}

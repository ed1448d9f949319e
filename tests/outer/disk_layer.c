/* A disk with injected faults: preloaded into a server under test, it intercepts calls of the C
 * library for files of the store only.
 *
 * DISK_FAULTS names a file that is read before every call. It contains words, none without a fault:
 *   write=ENOSPC  writing and growing fail with this error (also EIO, EROFS)
 *   sync=EIO      syncing fails
 *   open=EACCES   opening for writing fails
 *   slow=200      each sync takes this many milliseconds longer
 *   hold          a sync blocks until this word is removed; a file beside the first, with the suffix
 *                 ".held", signals that one is blocked
 *
 * Everything else is passed to the system by its number, so no function here calls itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The tables, the journal, and the files beside them. */
static int is_store(const char *path) {
    return strstr(path, "chat.db") || strstr(path, "recent.db");
}

static void told(char *words, size_t size) {
    words[0] = 0;
    const char *path = getenv("DISK_FAULTS");
    if (!path) return;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    long read = syscall(SYS_read, fd, words, size - 1);
    words[read > 0 ? read : 0] = 0;
    syscall(SYS_close, fd);
}

/* The number of the error that follows the key, 0 if none is asked for. */
static int fault(const char *key) {
    char words[256];
    told(words, sizeof words);
    const char *at = strstr(words, key);
    if (!at) return 0;
    at += strlen(key);
    if (!strncmp(at, "ENOSPC", 6)) return ENOSPC;
    if (!strncmp(at, "EROFS", 5)) return EROFS;
    if (!strncmp(at, "EACCES", 6)) return EACCES;
    return EIO;
}

static int of_store(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_store(path);
}

static void pause_for(long millis) {
    struct timespec time = {millis / 1000, millis % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int refused(int fd, const char *key) {
    int error = of_store(fd) ? fault(key) : 0;
    if (error) errno = error;
    return error;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return refused(fd, "write=") ? -1 : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return refused(fd, "write=") ? -1 : syscall(SYS_pwrite64, fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return pwrite(fd, bytes, count, at);
}

int ftruncate(int fd, off_t length) {
    return refused(fd, "write=") ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int fallocate(int fd, int mode, off_t at, off_t length) {
    return refused(fd, "write=") ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, length);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    return fallocate(fd, mode, at, length);
}

static int sync_as_told(int fd, long number) {
    if (of_store(fd)) {
        char words[256];
        told(words, sizeof words);
        const char *slow = strstr(words, "slow=");
        if (slow) pause_for(atol(slow + 5));
        if (strstr(words, "hold")) {
            char held[4096];
            snprintf(held, sizeof held, "%s.held", getenv("DISK_FAULTS"));
            long mark = syscall(SYS_openat, AT_FDCWD, held, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            if (mark >= 0) syscall(SYS_close, mark);
        }
        while (strstr(words, "hold")) {
            pause_for(2);
            told(words, sizeof words);
        }
        if (refused(fd, "sync=")) return -1;
    }
    return (int)syscall(number, fd);
}

int fsync(int fd) { return sync_as_told(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_as_told(fd, SYS_fdatasync); }

static int open_as_told(const char *path, int flags, mode_t mode) {
    int error = (flags & O_ACCMODE) != O_RDONLY && is_store(path) ? fault("open=") : 0;
    if (error) {
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_as_told(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_as_told(path, flags | O_LARGEFILE, mode);
}

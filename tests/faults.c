/* Loaded before the C library: the N-th file operation below a folder fails, or kills the process;
   where the disk is full, so do all that follow.

   cc -shared -fPIC -o faults.so faults.c -ldl;  LD_PRELOAD=faults.so FAULTS_BELOW=/folder python faults.py …
   fault_at(n, error) arms it: error 0 kills. fault_count() tells how many operations there were since. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long counted, at;
static int with;

void fault_at(long n, int error) { counted = 0; at = n; with = error; }
long fault_count(void) { return counted; }

static int fails(const char *call, const char *path) {
    const char *below = getenv("FAULTS_BELOW");
    if (!at || !below || !path || strncmp(path, below, strlen(below))) return 0;
    if (getenv("FAULTS_TRACE")) fprintf(stderr, "%ld %s %s\n", counted + 1, call, path);
    if (++counted < at || (counted > at && with != ENOSPC)) return 0; /* a full disk stays full */
    if (!with) kill(getpid(), SIGKILL);
    errno = with;
    return 1;
}

static int fails_fd(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = at ? readlink(link, path, sizeof path - 1) : -1;
    if (n < 0) return 0;
    path[n] = 0;
    return fails(call, path);
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, #name)
#define ON_PATH(type, name, declared, types, ...) \
    type name declared { REAL(type, name, types); return fails(__func__, path) ? -1 : real(__VA_ARGS__); }
#define ON_FD(type, name, declared, types, ...) \
    type name declared { REAL(type, name, types); return fails_fd(__func__, fd) ? -1 : real(__VA_ARGS__); }
#define COMMA ,
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, name, const char *, int, ...); return fails(__func__, path) ? -1 : real(path, flags, mode); }

OPEN(open)
OPEN(open64)
ON_PATH(int, mkdir, (const char *path, mode_t mode), const char * COMMA mode_t, path, mode)
ON_PATH(int, rename, (const char *path, const char *to), const char * COMMA const char *, path, to)
ON_PATH(int, link, (const char *path, const char *to), const char * COMMA const char *, path, to)
ON_FD(ssize_t, write, (int fd, const void *data, size_t n), int COMMA const void * COMMA size_t, fd, data, n)
ON_FD(ssize_t, writev, (int fd, const struct iovec *v, int n), int COMMA const struct iovec * COMMA int, fd, v, n)
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t o), int COMMA const void * COMMA size_t COMMA off_t, fd, data, n, o)
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t o), int COMMA const void * COMMA size_t COMMA off64_t, fd, data, n, o)
ON_FD(ssize_t, pread, (int fd, void *data, size_t n, off_t o), int COMMA void * COMMA size_t COMMA off_t, fd, data, n, o)
ON_FD(ssize_t, pread64, (int fd, void *data, size_t n, off64_t o), int COMMA void * COMMA size_t COMMA off64_t, fd, data, n, o)
ON_FD(int, fsync, (int fd), int, fd)
ON_FD(int, fdatasync, (int fd), int, fd)
ON_FD(int, ftruncate, (int fd, off_t n), int COMMA off_t, fd, n)
ON_FD(int, ftruncate64, (int fd, off64_t n), int COMMA off64_t, fd, n)

/* What the parts of floor have in common. */
#ifndef COMMON_H
#define COMMON_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* usage is what -help prints. */
extern const char usage[];

/* die prints a line to stderr and ends the process with exit code 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* usage_die prints a line to stderr and ends the process with exit code 2. */
_Noreturn void usage_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* number parses the value of an option, a whole number of at least min. */
long number(const char *option, const char *value, long min);

/* raise_file_limit raises the soft limit of open files to the hard one, and
 * returns it. */
long raise_file_limit(void);

/* listen_at listens on HOST:PORT, an IPv4 address, and fills in the port if it
 * was 0. What is accepted inherits TCP_NODELAY. */
int listen_at(const char *addr, uint16_t *port);

/* join_group returns a socket that receives what is sent to GROUP:PORT, an address of
 * multicast, on the loopback device, by itself, too, and fills in the address. */
int join_group(const char *addr, struct sockaddr_in *group);

/* accept_die explains why accept4 failed. */
_Noreturn void accept_die(void);

/* write_die explains why a send of size bytes, which sent n, was not complete. */
_Noreturn void write_die(ssize_t n, size_t size);

#endif

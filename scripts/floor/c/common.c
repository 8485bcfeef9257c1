#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char usage[] =
	"usage: floor server [-addr HOST:PORT] [-writers N] [-room GROUP:PORT]\n"
	"       floor pairs [-n CONNECTIONS] [-S SERVERS] [-C CLIENTS] [-m BYTES] [-r ROUNDS]\n"
	"                   [-t SECONDS] [-netns] [-json]\n"
	"\n"
	"server  prints \"listening on HOST:PORT\" and ends when its standard input does\n"
	"  -addr     where to listen (127.0.0.1:0: any free port)\n"
	"  -writers  threads that share the room in a broadcast (1)\n"
	"  -room     an address of multicast, such as 239.1.2.3:4000: all processes that have\n"
	"            it are one room\n"
	"\n"
	"pairs   connects, has all servers write to all their connections at once, and ends\n"
	"  -n      connections (10000)\n"
	"  -S, -C  processes of servers and of clients (as many as the file limit asks for,\n"
	"          at least one for each processor)\n"
	"  -m      bytes of a message (128)\n"
	"  -r      rounds; in each, every connection gets one message (5)\n"
	"  -t      longest time of any step, in seconds (120)\n"
	"  -netns  in a network namespace of its own with a large hash table; needs root\n"
	"  -json   figures as one line of JSON\n";

static void complain(const char *format, va_list args) {
	char line[512];
	vsnprintf(line, sizeof line, format, args);
	fprintf(stderr, "floor: %s\n", line); /* one call: other processes write too */
}

void die(const char *format, ...) {
	va_list args;
	va_start(args, format);
	complain(format, args);
	exit(1);
}

void usage_die(const char *format, ...) {
	va_list args;
	va_start(args, format);
	complain(format, args);
	fputs(usage, stderr);
	exit(2);
}

long number(const char *option, const char *value, long min) {
	char *end;
	errno = 0;
	long n = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < min || n > INT32_MAX)
		usage_die("-%s %s: must be a whole number of at least %ld", option, value, min);
	return n;
}

long raise_file_limit(void) {
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		die("read the file limit: %s", strerror(errno));
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		die("raise the file limit to %ld: %s", (long)files.rlim_max, strerror(errno));
	return files.rlim_max > INT32_MAX ? INT32_MAX : (long)files.rlim_max;
}

/* parse_addr is for addresses as printed by server_main: no names. */
static struct sockaddr_in parse_addr(const char *addr) {
	struct sockaddr_in sa = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN], rest;
	unsigned port;
	if (sscanf(addr, "%15[0-9.]:%u%c", host, &port, &rest) != 2 || port > 65535 || inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		usage_die("address %s: must be an IPv4 address and a port, such as 127.0.0.1:0", addr);
	sa.sin_port = htons(port);
	return sa;
}

int listen_at(const char *addr, uint16_t *port) {
	struct sockaddr_in sa = parse_addr(addr);
	socklen_t size = sizeof sa;
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(fd, 65535) != 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &size) != 0)
		die("listen on %s: %s", addr, strerror(errno));
	*port = ntohs(sa.sin_port);
	return fd;
}

int join_group(const char *addr, struct sockaddr_in *group) {
	*group = parse_addr(addr);
	struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
	struct ip_mreq member = {group->sin_addr, loopback};
	int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(fd, (struct sockaddr *)group, sizeof *group) != 0 ||
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member) != 0 ||
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback) != 0)
		die("join %s: %s", addr, strerror(errno));
	return fd;
}

void accept_die(void) {
	if (errno == EMFILE)
		die("accept: RLIMIT_NOFILE allows this process %ld files (ulimit -n)", raise_file_limit());
	if (errno == ENFILE)
		die("accept: the system has no more files (sysctl fs.file-max)");
	die("accept: %s", strerror(errno));
}

void write_die(ssize_t n, size_t size) {
	if (n < 0 && errno != EAGAIN)
		die("send: %s", strerror(errno));
	die("send: a client's socket is full, %zd of %zu bytes were taken: a floor has no queue for what is left", n < 0 ? 0 : n, size);
}

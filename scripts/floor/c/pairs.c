/* The floor of the kernel: processes of servers and of clients, in which every
 * server writes the same bytes to all its connections at once, and every client
 * reads them. There is no protocol, and nothing is decided for a connection.
 *
 * The parent tells its children each step with one byte on a line of their own,
 * and gets one back when it is done. Figures travel through shared memory. A
 * child dies with its parent; the parent ends when a child dies, or when a step
 * takes too long. */
#define _GNU_SOURCE
#include "common.h"
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SPARE_FILES = 32,     /* what a process needs besides its connections */
	MAX_PER_SOURCE = 30000, /* connections from one address to one server */
};

typedef struct {
	long connections, servers, clients, bytes, rounds;
	long patience; /* seconds for each step */
	long per_source;
	bool netns, json;
} job;

/* What one child shares. It writes before it answers, the parent reads after. */
typedef struct {
	uint16_t port;
	int64_t cpu_ns; /* that the last step took */
} figures;

/* What all share. */
typedef struct {
	int64_t start;      /* of the round, monotonic nanoseconds */
	figures *servers, *clients;
	uint32_t *received; /* by connection: microseconds after start */
} board;

typedef struct {
	pid_t pid;
	int line;
} child;

/* begins is the first of n things that part i of so many has. Servers and
 * clients divide the connections alike. */
static long begins(long n, long i, long parts) { return n * i / parts; }

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000LL + t.tv_nsec; }

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return nanoseconds(t);
}

/* cpu is what this process has taken, of user and system time. */
static int64_t cpu(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return nanoseconds(t);
}

static void *allocate(size_t size) {
	void *p = calloc(1, size);
	if (p == NULL)
		die("out of memory");
	return p;
}

static void *allocate_shared(size_t size) {
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("share %zu bytes: %s", size, strerror(errno));
	return p;
}

/* Children. */

static void answer(int line) {
	if (send(line, "", 1, MSG_NOSIGNAL) != 1)
		_exit(0); /* the parent has gone */
}

/* ordered waits for the next step; false is the end. */
static bool ordered(int line) {
	char step;
	ssize_t n;
	while ((n = read(line, &step, 1)) < 0 && errno == EINTR) {
	}
	return n == 1;
}

static int open_epoll(void) {
	int fd = epoll_create1(0);
	if (fd < 0)
		die("epoll_create1: %s", strerror(errno));
	return fd;
}

static void watch(int epoll, int fd, uint32_t i) {
	struct epoll_event interest = {.events = EPOLLIN, .data.u32 = i};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) != 0)
		die("watch a connection: %s%s", strerror(errno), errno == ENOSPC ? " (sysctl fs.epoll.max_user_watches)" : "");
}

/* close_by_reset leaves nothing behind in the kernel when fd, or what it
 * accepts, is closed. */
static void close_by_reset(int fd) {
	struct linger at_once = {.l_onoff = 1};
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
		die("SO_LINGER: %s", strerror(errno));
}

/* accept_all accepts n connections. They are watched, as any server would. */
static void accept_all(int listener, int *fds, long n) {
	int epoll = open_epoll();
	struct pollfd arrival = {.fd = listener, .events = POLLIN};
	for (long i = 0; i < n;) {
		fds[i] = accept4(listener, NULL, NULL, 0);
		if (fds[i] >= 0)
			watch(epoll, fds[i], i), i++;
		else if (errno == EAGAIN)
			poll(&arrival, 1, -1);
		else if (errno != ECONNABORTED)
			accept_die();
	}
}

/* serve is one server: it accepts, then writes once for each order. */
static void serve(const job *j, long number, figures *mine, int line) {
	long n = begins(j->connections, number + 1, j->servers) - begins(j->connections, number, j->servers);
	int *fds = allocate(n * sizeof *fds);
	char *bytes = allocate(j->bytes);
	int listener = listen_at("127.0.0.1:0", &mine->port);
	close_by_reset(listener);
	answer(line);

	if (!ordered(line))
		return;
	int64_t before = cpu();
	accept_all(listener, fds, n);
	mine->cpu_ns = cpu() - before;
	answer(line);

	while (ordered(line)) {
		before = cpu();
		for (long i = 0; i < n; i++) {
			ssize_t sent = send(fds[i], bytes, j->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (sent != j->bytes)
				write_die(sent, j->bytes);
		}
		mine->cpu_ns = cpu() - before;
		answer(line);
	}
}

/* connect_one connects from an address of 127.0.0.0/8. IP_BIND_ADDRESS_NO_PORT
 * leaves the port to connect, which needs it to be free towards this server
 * alone. */
static int connect_one(uint32_t source, uint16_t port) {
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source)};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 && errno == EMFILE)
		die("connect: RLIMIT_NOFILE allows this process %ld files (ulimit -n)", raise_file_limit());
	if (fd < 0 && errno == ENFILE)
		die("connect: the system has no more files (sysctl fs.file-max)");
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
		bind(fd, (struct sockaddr *)&from, sizeof from) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect: %s%s", strerror(errno), errno == EADDRNOTAVAIL ? " (sysctl net.ipv4.ip_local_port_range)" : "");
	close_by_reset(fd);
	return fd;
}

/* server_of is the server that has a connection. */
static long server_of(const job *j, long connection) {
	long s = connection * j->servers / j->connections;
	while (begins(j->connections, s + 1, j->servers) <= connection)
		s++;
	return s;
}

/* receive_all reads until n connections have a whole message, and notes when. */
static void receive_all(const job *j, const board *b, int epoll, const int *fds, long first, long n) {
	static char input[64 << 10];
	struct epoll_event ready[512];
	uint32_t *have = allocate(n * sizeof *have);
	for (long whole = 0; whole < n;) {
		int count = epoll_wait(epoll, ready, sizeof ready / sizeof *ready, -1);
		for (int e = 0; e < count; e++) {
			uint32_t i = ready[e].data.u32;
			ssize_t got = recv(fds[i], input, sizeof input, MSG_DONTWAIT);
			if (got == 0 || (got < 0 && errno != EAGAIN))
				die("receive: %s", got == 0 ? "the server has closed a connection" : strerror(errno));
			have[i] += got < 0 ? 0 : got;
			if (have[i] > j->bytes)
				die("receive: more than was sent");
			if (have[i] == j->bytes && got > 0) {
				b->received[first + i] = (now() - b->start) / 1000;
				whole++;
			}
		}
	}
	free(have);
}

/* be_clients is one process of clients: it connects, then receives once for each
 * order. */
static void be_clients(const job *j, const board *b, long number, figures *mine, int line) {
	long first = begins(j->connections, number, j->clients);
	long n = begins(j->connections, number + 1, j->clients) - first;
	int *fds = allocate(n * sizeof *fds), epoll = open_epoll();
	/* As those of our load test: a client that wakes up does not interrupt a
	 * server that writes. A favour to the measurement, so no error matters. */
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
	answer(line);

	if (!ordered(line))
		return;
	int64_t before = cpu();
	for (long i = 0; i < n; i++) {
		long server = server_of(j, first + i);
		long in_server = first + i - begins(j->connections, server, j->servers);
		fds[i] = connect_one(in_server / j->per_source, b->servers[server].port);
		watch(epoll, fds[i], i);
	}
	mine->cpu_ns = cpu() - before;
	answer(line);

	while (ordered(line)) {
		before = cpu();
		receive_all(j, b, epoll, fds, first, n);
		mine->cpu_ns = cpu() - before;
		answer(line);
	}
}

/* The parent. */

/* The lines of those before it are closed in each child, so that their ends are
 * seen. */
static void start(child *children, long n, const job *j, const board *b) {
	pid_t parent = getpid();
	for (long i = 0; i < n; i++) {
		int line[2];
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, line) != 0)
			die("start a process: %s", strerror(errno));
		fflush(stdout);
		children[i] = (child){fork(), line[0]};
		if (children[i].pid < 0)
			die("start a process: %s", strerror(errno));
		if (children[i].pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1);
			for (long k = 0; k <= i; k++)
				close(children[k].line);
			if (i < j->servers)
				serve(j, i, &b->servers[i], line[1]);
			else
				be_clients(j, b, i - j->servers, &b->clients[i - j->servers], line[1]);
			_exit(0);
		}
		close(line[1]);
	}
}

static void order(const child *children, long n) {
	for (long i = 0; i < n; i++)
		if (send(children[i].line, "", 1, MSG_NOSIGNAL) != 1)
			die("a process has ended");
}

/* await waits until n children have answered. */
static void await(const child *children, long n, const job *j, const char *step) {
	struct pollfd *lines = allocate(n * sizeof *lines);
	int64_t deadline = now() + j->patience * 1000000000LL;
	for (long i = 0; i < n; i++)
		lines[i] = (struct pollfd){.fd = children[i].line, .events = POLLIN};
	for (long answered = 0; answered < n;) {
		int64_t left = (deadline - now()) / 1000000;
		int ready = left <= 0 ? 0 : poll(lines, n, left);
		if (ready < 0)
			die("poll: %s", strerror(errno));
		if (ready == 0)
			die("%s: not done after %ld s (-t)", step, j->patience);
		for (long i = 0; i < n; i++) {
			char answer;
			if (lines[i].revents == 0)
				continue;
			if (read(lines[i].fd, &answer, 1) != 1)
				die("%s: a process has ended", step);
			lines[i].fd = -1; /* poll skips it */
			lines[i].revents = 0;
			answered++;
		}
	}
	free(lines);
}

static void finish(const child *children, long n) {
	for (long i = 0; i < n; i++)
		close(children[i].line);
	for (long i = 0; i < n; i++)
		waitpid(children[i].pid, NULL, 0);
}

static int64_t total_cpu(const figures *f, long n) {
	int64_t sum = 0;
	for (long i = 0; i < n; i++)
		sum += f[i].cpu_ns;
	return sum;
}

/* meminfo reads a line of /proc/meminfo, in bytes. */
static int64_t meminfo(const char *name) {
	char line[256];
	long long kb = -1;
	size_t len = strlen(name);
	FILE *f = fopen("/proc/meminfo", "r");
	while (f != NULL && kb < 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, len) == 0)
			sscanf(line + len, ": %lld", &kb);
	if (kb < 0)
		die("/proc/meminfo: no %s", name);
	fclose(f);
	return kb << 10;
}

typedef struct {
	int64_t available, slab; /* bytes */
} memory;

static memory read_memory(void) { return (memory){meminfo("MemAvailable"), meminfo("Slab")}; }

static int compare(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* What came of a round. Times are of receipts, since the order to write. */
typedef struct {
	double first_ms, median_ms, last_ms;
	double server_cpu_us, client_cpu_us; /* each message */
} outcome;

static outcome broadcast(const job *j, board *b, const child *children) {
	order(children + j->servers, j->clients); /* first, so that they wait */
	b->start = now();
	order(children, j->servers);
	await(children, j->servers + j->clients, j, "broadcast");

	qsort(b->received, j->connections, sizeof *b->received, compare);
	return (outcome){
		.first_ms = b->received[0] / 1e3,
		.median_ms = b->received[(j->connections - 1) / 2] / 1e3,
		.last_ms = b->received[j->connections - 1] / 1e3,
		.server_cpu_us = total_cpu(b->servers, j->servers) / 1e3 / j->connections,
		.client_cpu_us = total_cpu(b->clients, j->clients) / 1e3 / j->connections,
	};
}

typedef struct {
	double connect_s, accept_cpu_us, connect_cpu_us;
	memory before, connected, after;
} summary;

static void print_text(const job *j, const summary *s, const outcome *o) {
	printf("%ld connections of %ld server and %ld client processes\n", j->connections, j->servers, j->clients);
	printf("connected in %.3f s, %.0f a second; CPU each: server %.2f us, client %.2f us\n",
		s->connect_s, j->connections / s->connect_s, s->accept_cpu_us, s->connect_cpu_us);
	printf("memory of the kernel: %.0f bytes a connection with both its ends; available %.2f GB before, %.2f connected, %.2f after\n",
		(double)(s->connected.slab - s->before.slab) / j->connections, s->before.available / 1e9, s->connected.available / 1e9, s->after.available / 1e9);
	for (long r = 0; r < j->rounds; r++)
		printf("round %ld: %ld bytes to all: first %.1f, median %.1f, last %.1f ms; CPU each: server %.2f us, client %.2f us\n",
			r + 1, j->bytes, o[r].first_ms, o[r].median_ms, o[r].last_ms, o[r].server_cpu_us, o[r].client_cpu_us);
	printf("delivered %ld of %ld\n", j->connections * j->rounds, j->connections * j->rounds);
}

static void print_json(const job *j, const summary *s, const outcome *o) {
	printf("{\"connections\":%ld,\"servers\":%ld,\"clients\":%ld,\"bytes\":%ld,\"delivered\":%ld,",
		j->connections, j->servers, j->clients, j->bytes, j->connections * j->rounds);
	printf("\"connect_s\":%.6f,\"server_cpu_us_per_accept\":%.3f,\"client_cpu_us_per_connect\":%.3f,",
		s->connect_s, s->accept_cpu_us, s->connect_cpu_us);
	printf("\"slab_before\":%lld,\"slab_connected\":%lld,\"slab_after\":%lld,",
		(long long)s->before.slab, (long long)s->connected.slab, (long long)s->after.slab);
	printf("\"available_before\":%lld,\"available_connected\":%lld,\"available_after\":%lld,\"rounds\":[",
		(long long)s->before.available, (long long)s->connected.available, (long long)s->after.available);
	for (long r = 0; r < j->rounds; r++)
		printf("%s{\"first_ms\":%.3f,\"median_ms\":%.3f,\"last_ms\":%.3f,\"server_cpu_us\":%.3f,\"client_cpu_us\":%.3f}",
			r > 0 ? "," : "", o[r].first_ms, o[r].median_ms, o[r].last_ms, o[r].server_cpu_us, o[r].client_cpu_us);
	printf("]}\n");
}

static void run(const job *j) {
	board *b = allocate_shared(sizeof *b);
	b->servers = allocate_shared(j->servers * sizeof *b->servers);
	b->clients = allocate_shared(j->clients * sizeof *b->clients);
	b->received = allocate_shared(j->connections * sizeof *b->received);
	long all = j->servers + j->clients;
	child *children = allocate(all * sizeof *children);
	outcome *rounds = allocate(j->rounds * sizeof *rounds);
	start(children, all, j, b);
	await(children, all, j, "start");

	summary s = {.before = read_memory()};
	int64_t begin = now();
	order(children, all);
	await(children, all, j, "connect");
	s.connect_s = (now() - begin) / 1e9;
	s.accept_cpu_us = total_cpu(b->servers, j->servers) / 1e3 / j->connections;
	s.connect_cpu_us = total_cpu(b->clients, j->clients) / 1e3 / j->connections;
	s.connected = read_memory();
	for (long r = 0; r < j->rounds; r++)
		rounds[r] = broadcast(j, b, children);
	s.after = read_memory();

	finish(children + j->servers, j->clients); /* these have what must be reset */
	finish(children, j->servers);
	(j->json ? print_json : print_text)(j, &s, rounds);
}

/* per_source is bounded by half of the range of ports: past it the kernel has
 * tried all of one parity, and searches long for each of the other. */
static long per_source(void) {
	long low = 0, high = 0;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
	if (f == NULL || fscanf(f, "%ld %ld", &low, &high) != 2 || high < low)
		die("read net.ipv4.ip_local_port_range");
	fclose(f);
	long half = (high - low + 1) / 2;
	half -= half / 32;
	return half < 1 ? 1 : half > MAX_PER_SOURCE ? MAX_PER_SOURCE : half;
}

/* divide chooses how many processes there are, or checks what was chosen. */
static long divide(long connections, long chosen, const char *option) {
	long files = raise_file_limit();
	if (files <= SPARE_FILES)
		die("RLIMIT_NOFILE allows a process %ld files (ulimit -n): too few", files);
	long least = (connections + files - SPARE_FILES - 1) / (files - SPARE_FILES);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (chosen == 0)
		chosen = least > cores ? least : cores;
	if (chosen < least)
		die("-%s %ld: RLIMIT_NOFILE allows a process %ld files (ulimit -n); take %ld or more", option, chosen, files, least);
	return chosen < connections ? chosen : connections;
}

int pairs_main(int argc, char **argv) {
	static const struct option options[] = {{"netns", no_argument, NULL, 'N'}, {"json", no_argument, NULL, 'j'}, {0}};
	job j = {.connections = 10000, .bytes = 128, .rounds = 5, .patience = 120};
	int option;
	opterr = 0; /* usage_die tells */
	while ((option = getopt_long_only(argc, argv, "n:S:C:m:r:t:", options, NULL)) != -1)
		switch (option) {
		case 'n': j.connections = number("n", optarg, 1); break;
		case 'S': j.servers = number("S", optarg, 1); break;
		case 'C': j.clients = number("C", optarg, 1); break;
		case 'm': j.bytes = number("m", optarg, 1); break;
		case 'r': j.rounds = number("r", optarg, 1); break;
		case 't': j.patience = number("t", optarg, 1); break;
		case 'N': j.netns = true; break;
		case 'j': j.json = true; break;
		default: usage_die("pairs: no option %s, or no value for it", argv[optind - 1]);
		}
	if (optind < argc)
		usage_die("unexpected argument %s", argv[optind]);
	j.servers = divide(j.connections, j.servers, "S");
	j.clients = divide(j.connections, j.clients, "C");
	if (j.netns)
		isolate(j.connections);
	j.per_source = per_source();
	run(&j);
	return 0;
}

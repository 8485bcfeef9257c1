/* The server that our load clients cannot tell from Roost with its chat rooms.
 * One thread reads; the threads of a broadcast write. There is one room: whoever
 * joins anything is in it, of all processes with the same -room. It answers as Roost does, byte for byte, and relies
 * on what our clients send: one topic each, no escapes in the first four
 * elements of a message, and the nonce of RFC 6455 §1.3. */
#define _GNU_SOURCE
#include "common.h"
#include "floor.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char switching[] =
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

enum { OP_TEXT = 0x1 }; /* RFC 6455 §5.2 */

/* Where a connection stands in the room, or that it does not. */
enum { UPGRADING = -2, OUTSIDE = -1 };

typedef struct {
	uint8_t *tail;  /* the beginning of a frame whose end has not come; most often NULL */
	uint32_t held;  /* its length */
	int32_t place;  /* in room, or UPGRADING, or OUTSIDE */
} conn;

static conn *conns; /* by descriptor */
static int *room;   /* descriptors of those who joined here */
static int members;
static int poll_fd;

/* What a message is made of, as slices of the frame. The payload is any JSON,
 * the others are with their quotes, or null. */
typedef struct {
	const char *at;
	size_t len;
} slice;

typedef struct {
	slice join_ref, ref, topic, event, payload;
} message;

static bool is(slice s, const char *text) {
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* element takes a string or null, and the comma after it. */
static slice element(slice *rest) {
	bool quoted = rest->len > 0 && *rest->at == '"';
	const char *end = rest->len < 2 ? NULL : memchr(rest->at + quoted, quoted ? '"' : ',', rest->len - 1);
	if (end == NULL || end + quoted == rest->at + rest->len || end[quoted] != ',')
		die("not a message of our load clients: %.*s", (int)rest->len, rest->at);
	slice s = {rest->at, end + quoted - rest->at};
	rest->at += s.len + 1;
	rest->len -= s.len + 1;
	return s;
}

/* parse takes [join_ref,ref,topic,event,payload] apart. */
static message parse(slice text) {
	if (text.len < 2 || text.at[0] != '[' || text.at[text.len - 1] != ']')
		die("not a message of our load clients: %.*s", (int)text.len, text.at);
	slice rest = {text.at + 1, text.len - 2};
	message m;
	m.join_ref = element(&rest);
	m.ref = element(&rest);
	m.topic = element(&rest);
	m.event = element(&rest);
	m.payload = rest;
	return m;
}

/* A frame is built behind room for the longest header: 4 bytes, as no message
 * is longer than the buffer that it was read into. */
static char output[4 + (64 << 10) + 256];
static size_t output_len;

static void append(const char *text, size_t len) {
	memcpy(output + output_len, text, len);
	output_len += len;
}

static void append_slice(slice s) { append(s.at, s.len); }
static void append_text(const char *text) { append(text, strlen(text)); }

static void begin_frame(void) { output_len = 4; }

/* end_frame puts the header before the text, RFC 6455 §5.2. */
static slice end_frame(void) {
	size_t len = output_len - 4;
	if (len > 0xffff)
		die("a message of %zu bytes: a floor has them up to 65535", len);
	uint8_t *header = (uint8_t *)output;
	if (len < 126) {
		header[2] = 0x80 | OP_TEXT;
		header[3] = len;
		return (slice){output + 2, len + 2};
	}
	header[0] = 0x80 | OP_TEXT;
	header[1] = 126;
	header[2] = len >> 8;
	header[3] = len;
	return (slice){output, len + 4};
}

/* write_to writes now or never. Of a client that is gone, the reader hears. */
static void write_to(int fd, slice bytes) {
	ssize_t n = send(fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n != (ssize_t)bytes.len && !(n < 0 && (errno == EPIPE || errno == ECONNRESET)))
		write_die(n, bytes.len);
}

static void reply(int fd, message m, slice response) {
	begin_frame();
	append_text("[");
	append_slice(m.join_ref);
	append_text(",");
	append_slice(m.ref);
	append_text(",");
	append_slice(m.topic);
	append_text(",\"phx_reply\",{\"status\":\"ok\",\"response\":");
	append_slice(response);
	append_text("}]");
	write_to(fd, end_frame());
}

/* The one broadcast under way. All writers take blocks of the room until there
 * are no more; the reader is one of them, and waits for the others. */
enum { BLOCK = 256 };
static struct {
	int writers;
	pthread_barrier_t begin, end;
	slice frame;
	atomic_int next; /* place in the room */
} cast;

static void write_blocks(void) {
	int from;
	while ((from = atomic_fetch_add(&cast.next, BLOCK)) < members)
		for (int i = from; i < members && i < from + BLOCK; i++)
			write_to(room[i], cast.frame);
}

static void *writer(void *unused) {
	for (;;) {
		pthread_barrier_wait(&cast.begin);
		write_blocks();
		pthread_barrier_wait(&cast.end);
	}
	return unused;
}

/* What processes of one room send their broadcasts to: a group of multicast on
 * the loopback device, which brings them to this process, too. */
static int group_fd = -1; /* alone */
static struct sockaddr_in group;

/* cast_here writes a frame to all who are in the room here. */
static void cast_here(slice frame) {
	cast.frame = frame;
	atomic_store(&cast.next, 0);
	if (cast.writers > 1)
		pthread_barrier_wait(&cast.begin);
	write_blocks();
	if (cast.writers > 1)
		pthread_barrier_wait(&cast.end);
}

/* broadcast copies the payload into one frame, once, for all. The sender gets no
 * reply: the chat rooms of Roost give none. */
static void broadcast(message m) {
	begin_frame();
	append_text("[null,null,");
	append_slice(m.topic);
	append_text(",");
	append_slice(m.event);
	append_text(",");
	append_slice(m.payload);
	append_text("]");
	slice frame = end_frame();
	if (group_fd < 0)
		cast_here(frame);
	else if (sendto(group_fd, frame.at, frame.len, 0, (struct sockaddr *)&group, sizeof group) < 0)
		die("send to the other processes of the room: %s", strerror(errno));
}

static void hear_others(void) {
	static char heard[sizeof output];
	ssize_t n = recv(group_fd, heard, sizeof heard, MSG_DONTWAIT);
	if (n > 0)
		cast_here((slice){heard, n});
}

static void join(int fd) {
	if (conns[fd].place != OUTSIDE)
		die("a client joined twice: a floor has one room");
	conns[fd].place = members;
	room[members++] = fd;
}

static void hang_up(int fd) {
	conn *c = &conns[fd];
	if (c->place >= 0) { /* the last one takes the place */
		room[c->place] = room[--members];
		conns[room[c->place]].place = c->place;
	}
	free(c->tail);
	close(fd);
}

static void take_message(int fd, slice text) {
	static const slice nothing = {"{}", 2};
	message m = parse(text);
	if (is(m.event, "\"new_msg\"")) {
		broadcast(m);
	} else if (is(m.event, "\"heartbeat\"")) {
		reply(fd, m, nothing);
	} else if (is(m.event, "\"phx_join\"")) {
		join(fd);
		reply(fd, m, nothing);
	} else if (is(m.event, "\"echo\"") || is(m.event, "\"ping\"")) {
		reply(fd, m, m.payload);
	} else {
		die("event %.*s: a floor has no such", (int)m.event.len, m.event.at);
	}
}

/* take_frame takes one frame of a client, RFC 6455 §5.2, and returns its length,
 * 0 if it is not complete. Control frames are ignored: our clients answer with
 * them, and we never ask. */
static size_t take_frame(int fd, uint8_t *in, size_t n) {
	if (n < 8)
		return 0; /* nothing that is taken is shorter */
	size_t len = in[1] & 0x7f, header = 6;
	if (len == 126) {
		len = (size_t)in[2] << 8 | in[3];
		header = 8;
	} else if (len == 127) {
		die("a frame of more than 65535 bytes: a floor has no such");
	}
	if (n < header + len)
		return 0;
	uint8_t *mask = in + header - 4, *text = in + header;
	for (size_t i = 0; i < len; i++)
		text[i] ^= mask[i & 3];
	if ((in[0] & 0xf) == OP_TEXT)
		take_message(fd, (slice){(char *)text, len});
	return header + len;
}

/* take_request answers an upgrade, any upgrade, and returns the length of the
 * request, 0 if it is not complete. */
static size_t take_request(int fd, uint8_t *in, size_t n) {
	uint8_t *end = memmem(in, n, "\r\n\r\n", 4);
	if (end == NULL)
		return 0;
	conns[fd].place = OUTSIDE;
	write_to(fd, (slice){switching, sizeof switching - 1});
	return end + 4 - in;
}

static void read_from(int fd) {
	static uint8_t input[64 << 10];
	conn *c = &conns[fd];
	size_t have = c->held;
	if (have > 0)
		memcpy(input, c->tail, have);
	ssize_t n = recv(fd, input + have, sizeof input - have, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(fd);
		return;
	}
	have += n;
	size_t taken = 0, len;
	do {
		len = (c->place == UPGRADING ? take_request : take_frame)(fd, input + taken, have - taken);
		taken += len;
	} while (len > 0);

	c->held = have - taken;
	if (c->held == sizeof input)
		die("a frame of more than %zu bytes: a floor has no such", sizeof input);
	free(c->tail);
	c->tail = NULL;
	if (c->held > 0 && (c->tail = malloc(c->held)) == NULL)
		die("out of memory");
	if (c->held > 0)
		memcpy(c->tail, input + taken, c->held);
}

static void watch(int fd) {
	struct epoll_event interest = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &interest) == 0)
		return;
	if (fd == STDIN_FILENO && errno == EPERM)
		die("the standard input must be a pipe or a terminal: this ends when it does");
	if (errno == ENOSPC)
		die("watch a connection: the limit is sysctl fs.epoll.max_user_watches");
	die("watch a descriptor: %s", strerror(errno));
}

static void accept_from(int listener, long limit) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, 0);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0 || fd >= limit)
			accept_die();
		conns[fd] = (conn){.place = UPGRADING};
		watch(fd);
	}
}

/* open_signals makes SIGUSR1 readable. Roost collects its garbage on it and says
 * so; here there is none. */
static int open_signals(void) {
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd: %s", strerror(errno));
	return fd;
}

static void start_writers(int count) {
	cast.writers = count;
	pthread_barrier_init(&cast.begin, NULL, count);
	pthread_barrier_init(&cast.end, NULL, count);
	for (int i = 1; i < count; i++) {
		pthread_t thread;
		int err = pthread_create(&thread, NULL, writer, NULL);
		if (err != 0)
			die("start a writer: %s", strerror(err));
		pthread_detach(thread); /* ends with the process */
	}
}

/* serve returns when the standard input has ended. */
static void serve(int listener, int signals, long limit) {
	struct epoll_event ready[512];
	char ignored[sizeof(struct signalfd_siginfo)];
	for (;;) {
		int n = epoll_wait(poll_fd, ready, sizeof ready / sizeof *ready, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == listener) {
				accept_from(listener, limit);
			} else if (fd == group_fd) {
				hear_others();
			} else if (fd == STDIN_FILENO) {
				if (read(fd, ignored, sizeof ignored) <= 0)
					return;
			} else if (fd == signals) {
				if (read(fd, ignored, sizeof ignored) > 0)
					fprintf(stderr, "msg=memory joined=%d\n", members);
			} else {
				read_from(fd);
			}
		}
	}
}

int server_main(int argc, char **argv) {
	static const struct option options[] = {
		{"addr", required_argument, NULL, 'a'}, {"writers", required_argument, NULL, 'w'},
		{"room", required_argument, NULL, 'r'}, {0}};
	const char *addr = "127.0.0.1:0", *room_addr = NULL;
	int writers = 1, option;
	opterr = 0; /* usage_die tells */
	while ((option = getopt_long_only(argc, argv, "", options, NULL)) != -1) {
		if (option == 'a')
			addr = optarg;
		else if (option == 'w')
			writers = number("writers", optarg, 1);
		else if (option == 'r')
			room_addr = optarg;
		else
			usage_die("server: no option %s, or no value for it", argv[optind - 1]);
	}
	if (optind < argc)
		usage_die("unexpected argument %s", argv[optind]);

	long limit = raise_file_limit();
	conns = calloc(limit, sizeof *conns); /* pages that are not touched cost nothing */
	room = calloc(limit, sizeof *room);
	poll_fd = epoll_create1(0);
	if (conns == NULL || room == NULL || poll_fd < 0)
		die("start: %s", strerror(errno));
	int signals = open_signals();
	start_writers(writers);
	uint16_t port;
	int listener = listen_at(addr, &port);
	if (room_addr != NULL)
		watch(group_fd = join_group(room_addr, &group));
	watch(STDIN_FILENO);
	watch(signals);
	watch(listener);
	printf("listening on %.*s:%u\n", (int)(strrchr(addr, ':') - addr), addr, port);
	fflush(stdout);
	serve(listener, signals, limit);
	return 0;
}

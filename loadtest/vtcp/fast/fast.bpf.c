//go:build ignore

// The fast path of virtual clients: a program at the egress of the device behind
// which they are. It sees each packet of the servers before the device does. One
// that carries nothing but the next broadcasts for its client is counted here, and
// turned into its own acknowledgment, which goes back in. All others go on to the
// device, and so to the Go side, as if this program were not here.
//
// The same source is built for user space, too, as the oracle of its tests.

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#endif
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

// Go has these, too; TestLayout compares.
enum {
	FIRST_PORT = 16384, // of the clients of an address,
	PORT_BITS = 15,     // which are 1 << PORT_BITS
	WINDOW = 65535,     // that clients advertise
	SLOTS = 8,          // as many messages are current at a time
	MAX_FRAME = 1024,   // bytes of a message, WebSocket header included
	CHUNK = 32,         // bytes compared in one step
	PRECISION = 8,      // bits: each octave of microseconds has 256 buckets
	MAX_OCTAVE = 29,    // the last: it ends at 2^30 µs, about 18 minutes
	BUCKETS = (MAX_OCTAVE - PRECISION + 2) << PRECISION,
	FAST = 1, // one of a record's flags
};

// Of TCP headers, in host order.
enum {
	PLAIN = 0x5010,   // length of five words, ACK
	STAMPED = 0x8010, // of eight, the last three of them timestamps; ACK
	PUSH = 0x0008,
	STAMP_HEAD = 0x0101080a, // two NOPs; timestamps, ten bytes (RFC 7323, appendix A)
};

// What all clients have in common.
struct clients {
	__u32 network; // the address before that of client 0, in host order
	__u32 stamp;   // TSval of their segments
};

// A record is one client's TCP. While its flags have FAST, this program may change
// rcv_nxt and received; without FAST, all is Go's. It works on one packet of a client
// at a time, because the server's socket is locked while it sends.
struct record {
	__u32 snd_nxt, rcv_nxt, received, timer;
	__u16 room;
	__u8 state, flags, tries, unused;
	__u16 peer;
};

// A message is current while it has a length. Go fills the rest before.
struct message {
	__u64 sent; // CLOCK_MONOTONIC, ns
	__u32 number, length, room, unused;
	__u8 frame[MAX_FRAME + CHUNK]; // ends in zeros
};

// Counts are the receipts of one message on one processor.
struct counts {
	__u64 received, first, last; // CLOCK_MONOTONIC, ns
	__u32 latency[BUCKETS];
};

// A processor's own part. Go clears the counts of a message that is not current, and
// reads.
struct processor {
	__u32 runs; // odd from begin to end
	__u32 unused[15];
	__u8 payload[MAX_FRAME + CHUNK];
	struct counts counts[SLOTS];
};

// A shared array is memory that Go maps.
#define SHARED_ARRAY(name, entries, value_type)    \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries);      \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} name SEC(".maps")

SHARED_ARRAY(messages, SLOTS, struct message);
SHARED_ARRAY(clients, 1, struct clients);
SHARED_ARRAY(records, 1, struct record);       // Go has one for each client
SHARED_ARRAY(processors, 1, struct processor); // and one for each processor

// Go changes these while this program runs: read them once.
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

// A segment is what matters of a packet that may be taken.
struct segment {
	__u32 client, server;           // addresses, in network order
	__u16 client_port, server_port; // likewise
	__u32 seq;
	__u32 payload; // where it begins
	__u32 stamp;   // TSval, in network order, if the header has one
};

static __always_inline int stamped(const struct segment *s)
{
	return s->payload > sizeof(struct iphdr) + sizeof(struct tcphdr);
}

// parse says whether a packet is a whole TCP segment of a connection at rest: not a
// fragment, no flags but ACK and PSH, no options but timestamps.
static __always_inline int parse(struct __sk_buff *skb, struct segment *s)
{
	const struct iphdr *ip = (void *)(long)skb->data;
	const struct tcphdr *tcp = (void *)(ip + 1);
	const __be32 *options = (void *)(tcp + 1);
	const void *end = (void *)(long)skb->data_end;

	if ((void *)options > end || *(const __u8 *)ip != 0x45 || ip->protocol != IPPROTO_TCP ||
	    (ip->frag_off & bpf_htons(0xbfff)) || bpf_ntohs(ip->tot_len) != skb->len)
		return 0;
	switch ((bpf_ntohl(tcp_flag_word(tcp)) >> 16) & ~PUSH) {
	case PLAIN:
		s->payload = sizeof(*ip) + sizeof(*tcp);
		break;
	case STAMPED:
		if ((void *)(options + 3) > end || options[0] != bpf_htonl(STAMP_HEAD))
			return 0;
		s->payload = sizeof(*ip) + sizeof(*tcp) + 12;
		s->stamp = options[1];
		break;
	default:
		return 0;
	}
	s->client = ip->daddr;
	s->server = ip->saddr;
	s->client_port = tcp->dest;
	s->server_port = tcp->source;
	s->seq = bpf_ntohl(tcp->seq);
	return 1;
}

// find returns the record of a segment's client, if it has one. Its number follows
// from address and port.
static __always_inline struct record *find(const struct segment *s)
{
	__u32 key = 0, host, port, number;
	const struct clients *all = bpf_map_lookup_elem(&clients, &key);

	if (!all)
		return 0;
	host = bpf_ntohl(s->client) - all->network - 1;
	port = (__u32)bpf_ntohs(s->client_port) - FIRST_PORT;
	number = host << PORT_BITS | port;
	if (host >> (32 - PORT_BITS) || port >> PORT_BITS)
		return 0;
	return bpf_map_lookup_elem(&records, &number);
}

// current returns the slot that has a room's message of this number, or SLOTS. This
// function and the next are not static: so the verifier looks at each of them once, and
// not on every path that leads there.
__noinline __u32 current(__u32 room, __u32 number)
{
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++) {
		__u32 key = slot;
		const struct message *m = bpf_map_lookup_elem(&messages, &key);

		if (m && READ_ONCE(m->length) && m->number == number && m->room == room)
			break;
	}
	return slot;
}

// same returns the length of a slot's message if the packet has the same bytes at
// offset, or 0. It copies them to where it can compare words.
__noinline __u32 same(struct __sk_buff *skb, __u32 offset, __u32 slot)
{
	__u32 cpu = bpf_get_smp_processor_id(), length, at;
	struct processor *p = bpf_map_lookup_elem(&processors, &cpu);
	const struct message *m = bpf_map_lookup_elem(&messages, &slot);

	if (!p || !m)
		return 0;
	length = READ_ONCE(m->length);
	if (length == 0 || length > MAX_FRAME || bpf_skb_load_bytes(skb, offset, p->payload, length))
		return 0;
	__builtin_memset(p->payload + length, 0, CHUNK);
	for (at = 0; at < MAX_FRAME && at < length; at += CHUNK) {
		const __u64 *a = (const void *)(p->payload + at), *b = (const void *)(m->frame + at);

		if ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]))
			return 0;
	}
	return length;
}

// match returns how many messages a segment carries, if it carries nothing else, and
// puts their slots in order. It expects them one after the other.
static __always_inline __u32 match(struct __sk_buff *skb, const struct segment *s, const struct record *r, __u8 *slots)
{
	__u32 offset = s->payload, n;

	for (n = 0; n < SLOTS && offset < skb->len; n++) {
		__u32 slot = current(r->room, r->received + n + 1), length = same(skb, offset, slot);

		if (length == 0)
			return 0;
		slots[n] = slot;
		offset += length;
	}
	return offset == skb->len ? n : 0;
}

// bucket is a log-linear scale of microseconds: exact below 2 << PRECISION, then
// 1 << PRECISION buckets for each octave.
static __always_inline __u32 bucket(__u64 us)
{
	__u64 v = us >> (MAX_OCTAVE + 1) ? (1ull << (MAX_OCTAVE + 1)) - 1 : us;
	__u32 shift = 0, step;

	for (step = 16; step; step >>= 1)
		if (v >> (PRECISION + shift + step))
			shift += step;
	return (shift << PRECISION) + (__u32)(v >> shift);
}

// count counts a receipt of the message in a slot. It returns 0, as functions that are
// not static have to return a number.
__noinline int count(__u32 slot, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id(), b;
	struct processor *p = bpf_map_lookup_elem(&processors, &cpu);
	const struct message *m = bpf_map_lookup_elem(&messages, &slot);
	struct counts *c;

	if (!p || !m || slot >= SLOTS)
		return 0;
	c = &p->counts[slot];
	c->received++;
	if (!c->first)
		c->first = now;
	c->last = now;
	b = bucket(now > m->sent ? (now - m->sent) / 1000 : 0);
	if (b < BUCKETS) // always; the verifier does not know
		c->latency[b]++;
	return 0;
}

// commit moves a record on by n messages, and counts them.
static __always_inline void commit(struct record *r, __u32 bytes, __u32 n, const __u8 *slots, __u64 now)
{
	__u32 i;

	r->rcv_nxt += bytes;
	r->received += n;
	for (i = 0; i < SLOTS && i < n; i++)
		count(slots[i], now);
}

// sum adds 16-bit words, two at a time, as RFC 1071 allows.
static __always_inline __u64 sum(const void *words, __u32 n)
{
	const __u32 *w = words;
	__u64 total = 0;
	__u32 i;

#pragma GCC unroll 8
	for (i = 0; i < n; i++)
		total += w[i];
	return total;
}

static __always_inline __u16 checksum(__u64 total)
{
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16 & 0xffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	return ~total;
}

// acknowledge writes the client's acknowledgment over a packet that has its length.
static __always_inline int acknowledge(struct __sk_buff *skb, const struct segment *s, __u32 seq, __u32 ack)
{
	struct iphdr *ip = (void *)(long)skb->data;
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 *options = (void *)(tcp + 1);
	void *end = (void *)(long)skb->data_end;
	__u64 pseudo = (__u64)s->client + s->server + bpf_htons(IPPROTO_TCP) + bpf_htons(s->payload - sizeof(*ip));

	if ((void *)options > end)
		return 0;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(s->payload),
		.frag_off = bpf_htons(0x4000),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = s->client,
		.daddr = s->server,
	};
	ip->check = checksum(sum(ip, 5));
	*tcp = (struct tcphdr){
		.source = s->client_port,
		.dest = s->server_port,
		.seq = bpf_htonl(seq),
		.ack_seq = bpf_htonl(ack),
		.doff = (s->payload - sizeof(*ip)) / 4,
		.ack = 1,
		.window = bpf_htons(WINDOW),
	};
	if (stamped(s)) {
		__u32 key = 0;
		const struct clients *all = bpf_map_lookup_elem(&clients, &key);

		if (!all || (void *)(options + 3) > end)
			return 0;
		options[0] = bpf_htonl(STAMP_HEAD);
		options[1] = bpf_htonl(READ_ONCE(all->stamp));
		options[2] = s->stamp;
		pseudo += sum(options, 3);
	}
	tcp->check = checksum(pseudo + sum(tcp, 5));
	return 1;
}

// take does all the work of this program between begin and end.
static __always_inline int take(struct __sk_buff *skb, const struct segment *s, struct record *r)
{
	__u32 bytes = skb->len - s->payload, n;
	__u8 slots[SLOTS] = {};
	__u64 now;

	if (!(READ_ONCE(r->flags) & FAST) || r->rcv_nxt != s->seq)
		return TC_ACT_OK;
	n = match(skb, s, r, slots);
	if (n == 0)
		return TC_ACT_OK;
	now = bpf_ktime_get_ns();
	if (bpf_skb_change_tail(skb, s->payload, 0))
		return TC_ACT_OK; // no memory: the packet is as it was
	if (!acknowledge(skb, s, r->snd_nxt, r->rcv_nxt + bytes))
		return TC_ACT_SHOT; // never: it has been cut, and nothing else
	commit(r, bytes, n, slots, now);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

// Go may take FAST from a record, or the length from a message. The record, or the
// message with its counts, is Go's once all runs that began before have ended. A
// processor has one run at a time, as softirqs are off. An exchange is a full barrier.
static __always_inline void begin(struct processor *p) { __sync_lock_test_and_set(&p->runs, p->runs + 1); }
static __always_inline void end(struct processor *p) { __sync_lock_test_and_set(&p->runs, p->runs + 1); }

SEC("tcx/egress")
int fast(struct __sk_buff *skb)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct processor *p = bpf_map_lookup_elem(&processors, &cpu);
	struct segment s = {};
	struct record *r;
	int verdict;

	if (!p || !parse(skb, &s))
		return TC_ACT_OK;
	r = find(&s);
	if (!r)
		return TC_ACT_OK;
	begin(p);
	verdict = take(skb, &s, r);
	end(p);
	return verdict;
}

char _license[] SEC("license") = "Apache-2.0";

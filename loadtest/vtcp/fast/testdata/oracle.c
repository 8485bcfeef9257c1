// The oracle: fast.bpf.c as a program of user space, with one processor and with a
// clock that is told. It reads requests from stdin: a letter, then what follows it
// below. Numbers are as this machine has them.
#define __sk_buff kernel_sk_buff // its pointers have 32 bits
#include <linux/bpf.h>
#undef __sk_buff
#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct __sk_buff {
	long data, data_end;
	__u32 len, ifindex;
};

#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) value *name
#define __noinline __attribute__((noinline))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define bpf_htons htons
#define bpf_htonl htonl
#define bpf_ntohs ntohs
#define bpf_ntohl ntohl

static __u64 now;

static void *bpf_map_lookup_elem(void *map, const __u32 *key);
static __u64 bpf_ktime_get_ns(void) { return now; }
static __u32 bpf_get_smp_processor_id(void) { return 0; }

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	if (offset > skb->len || len > skb->len - offset)
		return -1;
	memcpy(to, (char *)skb->data + offset, len);
	return 0;
}

static long bpf_skb_change_tail(struct __sk_buff *skb, __u32 len, __u64 flags)
{
	if (flags || len > skb->len)
		abort();
	skb->len = len;
	skb->data_end = skb->data + len;
	return 0;
}

static long bpf_redirect(__u32 ifindex, __u64 flags)
{
	if (ifindex != 1 || flags != BPF_F_INGRESS)
		abort();
	return TC_ACT_REDIRECT;
}

#include "../fast.bpf.c"

#define CLIENTS (3 << PORT_BITS)
static struct clients all_clients = {.network = 10 << 24 | 64 << 16};
static struct record all_records[CLIENTS];
static struct message all_messages[SLOTS];
static struct processor processor;

static void *bpf_map_lookup_elem(void *map, const __u32 *key)
{
	if (map == &records)
		return *key < CLIENTS ? &all_records[*key] : NULL;
	if (map == &messages)
		return *key < SLOTS ? &all_messages[*key] : NULL;
	if (map == &clients)
		return *key == 0 ? &all_clients : NULL;
	return *key == 0 ? &processor : NULL;
}

static void get(void *to, size_t n)
{
	if (n && fread(to, n, 1, stdin) != 1)
		exit(1);
}

static void put(const void *from, size_t n)
{
	if (n && fwrite(from, n, 1, stdout) != 1)
		exit(1);
}

static __u32 get_number(void)
{
	__u32 n;

	get(&n, sizeof(n));
	return n;
}

static __u32 get_below(__u32 limit)
{
	__u32 n = get_number();

	if (n >= limit)
		exit(2);
	return n;
}

static void put_number(__u32 n) { put(&n, sizeof(n)); }

// packet runs the program: clock, length, bytes; verdict, length, bytes.
static void packet(void)
{
	static _Alignas(8) char bytes[1 << 16];
	struct __sk_buff skb = {.data = (long)bytes, .ifindex = 1};

	get(&now, sizeof(now));
	skb.len = get_below(sizeof(bytes));
	get(bytes, skb.len);
	skb.data_end = skb.data + skb.len;
	put_number(fast(&skb));
	put_number(skb.len);
	put(bytes, skb.len);
	if (processor.runs % 2)
		abort();
}

static void layout(void)
{
	const __u32 numbers[] = {
		FIRST_PORT, PORT_BITS, WINDOW, SLOTS, MAX_FRAME, BUCKETS, FAST,
		sizeof(struct record), offsetof(struct record, snd_nxt), offsetof(struct record, rcv_nxt),
		offsetof(struct record, received), offsetof(struct record, room), offsetof(struct record, flags),
		sizeof(struct message), offsetof(struct message, length), offsetof(struct message, frame),
		sizeof(struct processor), offsetof(struct processor, counts), sizeof(struct counts),
	};

	put_number(sizeof(numbers) / sizeof(*numbers));
	put(numbers, sizeof(numbers));
}

int main(void)
{
	char request;
	__u32 n;

	while (fread(&request, 1, 1, stdin) == 1) {
		switch (request) {
		case 'p':
			packet();
			break;
		case 'R': // client, record
			n = get_below(CLIENTS);
			get(&all_records[n], sizeof(struct record));
			continue;
		case 'r': // client; record
			put(&all_records[get_below(CLIENTS)], sizeof(struct record));
			break;
		case 'M': // slot, message
			n = get_below(SLOTS);
			get(&all_messages[n], sizeof(struct message));
			memset(&processor.counts[n], 0, sizeof(struct counts));
			continue;
		case 'c': // slot; counts
			put(&processor.counts[get_below(SLOTS)], sizeof(struct counts));
			break;
		case 's': // TSval, 32 bits
			all_clients.stamp = get_number();
			continue;
		case 'b': // microseconds, 32 bits; bucket
			put_number(bucket(get_number()));
			break;
		case 'l': // ; how many numbers, numbers
			layout();
			break;
		default:
			exit(2);
		}
		fflush(stdout);
	}
	return 0;
}

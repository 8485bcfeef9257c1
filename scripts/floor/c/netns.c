/* A network namespace of our own. What it is for is the table of established
 * connections: with the 262,144 buckets that are usual, chains grow long at a
 * million connections, each with two ends, and every message looks up both. A
 * namespace takes the size of its table from the sysctl of the one that it was
 * made in, so it takes two. And the settings in it hurt nobody else. */
#define _GNU_SOURCE
#include "common.h"
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void set(const char *name, const char *value) {
	char path[128];
	snprintf(path, sizeof path, "/proc/sys/net/%s", name);
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("write %s to %s: %s", value, path, strerror(errno));
	close(fd);
}

static void enter_new(void) {
	if (unshare(CLONE_NEWNET) != 0)
		die("make a network namespace: %s (-netns needs root)", strerror(errno));
}

/* raise_loopback does what ip link set lo up does. */
static void raise_loopback(void) {
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		die("raise the loopback interface: %s", strerror(errno));
	close(fd);
}

void isolate(long connections) {
	enter_new();
	set("ipv4/tcp_child_ehash_entries", connections > 1000000 ? "8388608" : "4194304");
	enter_new();
	raise_loopback();
	set("ipv4/ip_local_port_range", "1024 65535");
	set("ipv4/tcp_max_syn_backlog", "65535");
	set("core/somaxconn", "65535");
}

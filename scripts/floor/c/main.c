/* Floor is the least that a server could do: what remains of a chat room when
 * everything that makes a server is left out. It has no queues, no limits, no
 * protection from a client, slow or hostile; whatever it does not expect ends
 * it. It is what the kernel costs, to measure Roost against, and no server to
 * use or to start from.
 *
 *   floor server  speaks as much of Phoenix Channels as our load clients do
 *   floor pairs   no protocol at all: both ends in C, raw sends */
#include "common.h"
#include "floor.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "server") == 0)
		return server_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "pairs") == 0)
		return pairs_main(argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-help") == 0 || strcmp(argv[1], "--help") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	usage_die("the first argument is server or pairs");
}

/* The parts of floor; main.c says what floor is. */
#ifndef FLOOR_H
#define FLOOR_H

/* The subcommands. Each returns its exit code. */
int server_main(int argc, char **argv);
int pairs_main(int argc, char **argv);

/* isolate moves this process into a network namespace of its own, with a large
 * table of established connections; netns.c says why. */
void isolate(long connections);

#endif

/*
 * Does nothing for as long as possible: the process that holds a pod sandbox's
 * namespaces, and those of a whole cluster. As pid 1 it must reap the orphans
 * it inherits, and it gets no default signal actions, so it handles the ones
 * that should end it.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void terminate(int signal) { _exit(128 + signal); }

static void reap(int signal) {
	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
}

int main(void) {
	struct sigaction end = {.sa_handler = terminate};
	struct sigaction child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};

	if (sigaction(SIGTERM, &end, NULL) || sigaction(SIGINT, &end, NULL) ||
	    sigaction(SIGCHLD, &child, NULL))
		return 1;
	/* Orphans that were inherited before the handler was there. */
	reap(SIGCHLD);
	for (;;)
		pause();
}

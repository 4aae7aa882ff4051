// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "drain.h"
#include "table.h"

#define SHOWN_EVERY_NS 200000000L

/* --- what is left to move --- */

struct progress {
	pthread_t thread;
	sem_t done;
	int store;
	uint64_t segment;
	uint64_t left;	/* bytes */
};

static int add_left(const struct defpager_segment_info *segment, void *context)
{
	struct progress *progress = context;

	if (!progress->segment || progress->segment == segment->id)
		progress->left += segment->used_bytes;
	return 0;
}

static bool wait_for_end(struct progress *progress)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += SHOWN_EVERY_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	return sem_timedwait(&progress->done, &until) == 0;
}

/* One line, written over and over, and empty in the end. */
static void *show(void *context)
{
	struct progress *progress = context;

	while (!wait_for_end(progress)) {
		progress->left = 0;
		if (!libdefpager_segments(progress->store, add_left, progress))
			fprintf(stderr, "\r%s left to move\033[K",
				human_size(progress->left));
	}
	fputs("\r\033[K", stderr);
	return NULL;
}

static bool begin_showing(struct progress *progress)
{
	sigset_t all, before;
	int ret;

	if (!isatty(STDERR_FILENO) || sem_init(&progress->done, 0, 0))
		return false;
	/* It is the request that signals have to end. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&progress->thread, NULL, show, progress);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret == 0;
}

static void end_showing(struct progress *progress)
{
	sem_post(&progress->done);
	pthread_join(progress->thread, NULL);
	sem_destroy(&progress->done);
}

/* --- ^C --- */

static volatile sig_atomic_t stopped;
static int draining;

/* Should the request not have begun yet, it finds no descriptor. */
static void stop(int signal)
{
	(void)signal;
	stopped = 1;
	close(draining);
}

/*
 * Without SA_RESTART, lest it begins anew; a second signal is meant for us.  Who is
 * in the background of a script ignores ^C.
 */
static void handle_signal(int number)
{
	struct sigaction action = {
		.sa_handler = stop,
		.sa_flags = SA_RESETHAND,
	};
	struct sigaction before;

	sigaction(number, NULL, &before);
	if (before.sa_handler != SIG_IGN)
		sigaction(number, &action, NULL);
}

/* --- all of it --- */

static const struct option options[] = {
	OPTION_HELP,
	{ "target", required_argument, NULL, OPT_TARGET },
	{ }
};

static bool take(int option, void *context)
{
	struct drain *drain = context;

	drain->target = optarg;
	return option == OPT_TARGET;
}

const char *drain_parse(const struct command *command, int argc, char **argv,
			const char *what, struct drain *drain, int *status)
{
	return parse_options(command, argc, argv, options, take, drain, status)
		? one_operand(command, argc, argv, what, status) : NULL;
}

static void explain_failure(const struct drain *drain, int error)
{
	if (error == -EIO && drain->error_object)
		complain("%s: the page at %" PRIu64 " of object %" PRIu64
			 " cannot be read; it stays where it is, and the "
			 "kernel's log says what is wrong", drain->subject,
			 drain->error_offset, drain->error_object);
	else
		explain(drain->operation, drain->subject, error);
	if (drain->moved_bytes)
		complain("%s: %s moved to other segments before that",
			 drain->subject, human_size(drain->moved_bytes));
}

static bool drain_to(struct drain *drain, int store, int target)
{
	struct progress progress = {
		.store = store,
		.segment = drain->segment,
	};
	bool shown;
	int ret;

	draining = dup(store);
	handle_signal(SIGINT);
	handle_signal(SIGTERM);
	shown = begin_showing(&progress);
	ret = drain->request(drain, draining, target);
	if (shown)
		end_showing(&progress);
	if (ret < 0)
		explain_failure(drain, stopped ? -EINTR : ret);
	return ret >= 0;
}

bool drain_run(struct drain *drain)
{
	int store = backing_store_open(drain->store);
	int target = -1;
	bool done;

	if (store < 0)
		return false;
	if (drain->target)
		target = backing_store_open(drain->target);
	done = (target >= 0 || !drain->target) &&
	       drain_to(drain, store, target);
	close(store);
	if (target >= 0)
		close(target);
	return done;
}

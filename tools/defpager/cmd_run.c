// SPDX-License-Identifier: GPL-2.0-only
/* defpager run */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "user.h"

/* As of env(1), timeout(1) and the shell. */
enum {
	STATUS_OWN = 125,	/* whatever is not the command's */
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNALLED = 128,
};

static const struct option options[] = {
	OPTION_HELP,
	{ "name", required_argument, NULL, OPT_NAME },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "user", required_argument, NULL, OPT_USER },
	{ }
};

struct request {
	struct defpager_object_create create;
	const char *store;	/* NULL for the pager's choice */
	struct user user;
	bool as_user;
	char **command;
};

static bool parse_object_size(const char *text,
			      struct defpager_object_create *create)
{
	uint64_t size;

	if (parse_size(text, &size) && size > 0) {
		create->object_size = size;
		return true;
	}
	complain("--size %s: must be a number of bytes above 0, with K, M, G "
		 "or T after it if you like", text);
	return false;
}

static bool set_name(const char *name, struct defpager_object_create *create)
{
	if (strlen(name) >= sizeof(create->name)) {
		complain("--name %s: must be shorter than %zu bytes", name,
			 sizeof(create->name));
		return false;
	}
	/* All behind the name must be zero; the option may come twice. */
	strncpy(create->name, name, sizeof(create->name));
	return true;
}

static bool take(int option, void *context)
{
	struct request *request = context;

	switch (option) {
	case OPT_NAME:
		return set_name(optarg, &request->create);
	case OPT_SIZE:
		return parse_object_size(optarg, &request->create);
	case OPT_STORE:
		request->store = optarg;
		return true;
	case OPT_USER:
		request->as_user = true;
		return user_parse(optarg, &request->user);
	default:
		return false;
	}
}

/* False if there is nothing to run, with the exit status in *status. */
static bool parse(int argc, char **argv, struct request *request, int *status)
{
	if (!parse_options(&cmd_run, argc, argv, options, take, request,
			   status))
		return false;
	request->command = argv + optind;
	if (request->create.object_size && optind < argc)
		return true;
	complain("run wants %s", optind < argc ? "--size" : "a command");
	*status = command_misused(&cmd_run);
	return false;
}

/* The space of the stores that the object may use. */
struct usable {
	const char *store;	/* NULL: those that are for everybody */
	uint64_t bytes;
};

static int add_usable(const struct defpager_backing_store_info *store,
		      void *context)
{
	struct usable *usable = context;

	if (usable->store ? !strcmp(usable->store, store->name)
			  : !(store->flags & DEFPAGER_STORE_EXCLUSIVE))
		usable->bytes += store->total_bytes;
	return 0;
}

/* Else the command's first write would fail with no hint at the reason. */
static void warn_of_no_space(int pager, const char *store)
{
	struct usable usable = { .store = store };

	if (libdefpager_backing_stores(pager, add_usable, &usable) ||
	    usable.bytes)
		return;
	complain("there is no segment that the object can use: writing to it "
		 "will fail until \"defpager segment-add%s%s\" adds one",
		 store ? " --store " : "", store ? store : "");
}

/* The object's descriptor, or negative after a message. */
static int create_object(struct request *request, int pager)
{
	struct defpager_object_create *create = &request->create;
	int object = libdefpager_object_create(pager, create);

	if (object < 0)
		explain(OP_OBJECT_CREATE,
			create->name[0] ? create->name : "object", object);
	else
		warn_of_no_space(pager, request->store);
	return object;
}

/*
 * The same.  Pager and store are opened by who has called this; all else is the
 * user's, the object included: it is the owner of an object whom limits are about,
 * and who may open it by its path.
 */
static int create_as_user(struct request *request)
{
	struct defpager_object_create *create = &request->create;
	int pager, object = -1;

	create->size = sizeof(*create);
	create->backing_store = -1;
	if (request->store) {
		create->backing_store = backing_store_open(request->store);
		if (create->backing_store < 0)
			return -1;
	}
	pager = pager_open();
	if (pager < 0)
		return -1;
	if (!request->as_user || user_become(&request->user))
		object = create_object(request, pager);
	close(pager);
	if (request->store)
		close(create->backing_store);
	return object;
}

/* "{}" replaced by the path wherever it occurs; the result is allocated. */
static char *replace(const char *text, const char *path)
{
	size_t size = strlen(text) * (strlen(path) + 1) + 1;
	char *result = malloc(size);
	char *to = result;
	const char *hit;

	if (!result)
		die_no_memory();
	while ((hit = strstr(text, "{}"))) {
		to = mempcpy(to, text, hit - text);
		to = stpcpy(to, path);
		text = hit + 2;
	}
	strcpy(to, text);
	return result;
}

/*
 * Signals sent to this process are meant for the command.  Those of the terminal
 * reach both without our help, and what to do about them is for the command to say.
 */
static const int passed_signals[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
};
#define NR_PASSED (sizeof(passed_signals) / sizeof(passed_signals[0]))

static volatile sig_atomic_t command_pid;

static void pass_on(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0)
		kill(command_pid, signal);
}

/* What this process was started with, for the command to be started with. */
struct signals {
	sigset_t blocked;
	struct sigaction actions[NR_PASSED];
	struct sigaction child;
};

/*
 * What is ignored stays so, here and in the command: there may be a nohup(1).  They
 * are held back until there is a process to pass them on to.
 */
static void begin_passing(struct signals *before)
{
	struct sigaction pass = {
		.sa_sigaction = pass_on,
		.sa_flags = SA_SIGINFO,
	};
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < NR_PASSED; i++)
		sigaddset(&held, passed_signals[i]);
	sigprocmask(SIG_BLOCK, &held, &before->blocked);
	for (size_t i = 0; i < NR_PASSED; i++) {
		sigaction(passed_signals[i], NULL, &before->actions[i]);
		if (before->actions[i].sa_handler != SIG_IGN)
			sigaction(passed_signals[i], &pass, NULL);
	}
	/* Nothing could be waited for if it were ignored. */
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL },
		  &before->child);
}

static void end_passing(const struct signals *before)
{
	for (size_t i = 0; i < NR_PASSED; i++)
		sigaction(passed_signals[i], &before->actions[i], NULL);
	sigaction(SIGCHLD, &before->child, NULL);
	sigprocmask(SIG_SETMASK, &before->blocked, NULL);
}

static void __attribute__((noreturn)) execute(struct request *request,
					      int object, const char *path)
{
	char number[16];
	int error;

	/*
	 * The path leads through the parent, so that it means the same in
	 * whatever processes the command starts, whether or not they inherit
	 * the descriptor.
	 */
	for (char **arg = request->command; *arg; arg++)
		*arg = replace(*arg, path);
	snprintf(number, sizeof(number), "%d", object);
	if (setenv("DEFPAGER_FD", number, 1) ||
	    setenv("DEFPAGER_PATH", path, 1))
		die_no_memory();
	fcntl(object, F_SETFD, 0);

	execvp(request->command[0], request->command);
	error = errno;
	complain("%s: %s", request->command[0], strerror(error));
	_exit(error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

static int wait_for_command(void)
{
	int status;

	while (waitpid(command_pid, &status, 0) < 0) {
		if (errno != EINTR) {
			complain("cannot wait for the command: %m");
			return STATUS_OWN;
		}
	}
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	/* A shell would say no more than that it was a bus error, if that. */
	if (WTERMSIG(status) == SIGBUS)
		complain("the command was ended by SIGBUS; most likely there is "
			 "no space for a page (defpager stores), or a limit is "
			 "reached (defpager store-limit), or a page cannot be "
			 "read (the kernel's log)");
	return STATUS_SIGNALLED + WTERMSIG(status);
}

static int run_command(struct request *request, int object)
{
	struct signals before;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), object);
	begin_passing(&before);
	command_pid = fork();
	if (command_pid < 0) {
		complain("cannot start a process: %m");
		return STATUS_OWN;
	}
	if (!command_pid) {
		end_passing(&before);
		execute(request, object, path);
	}
	sigprocmask(SIG_SETMASK, &before.blocked, NULL);
	return wait_for_command();
}

static int run_run(int argc, char **argv)
{
	struct request request = { };
	int object, status;

	if (!parse(argc, argv, &request, &status))
		return status == STATUS_OK ? STATUS_OK : STATUS_OWN;
	object = create_as_user(&request);
	if (object < 0)
		return STATUS_OWN;
	status = run_command(&request, object);
	close(object);
	return status;
}

const struct command cmd_run = {
	.name = "run",
	.summary = "create a memory object and run a command with it",
	.usage = "run --size SIZE [--name NAME] [--store STORE]\n"
		 "                [--user USER[:GROUP]] [--] COMMAND [ARGUMENT...]",
	.help =
	"Creates a memory object, runs COMMAND with it, and exits with its status.\n"
	"The object is gone when COMMAND has ended and nobody else holds it.\n"
	"\n"
	"{} in the arguments of COMMAND is replaced by the path of the object.\n"
	"COMMAND also finds it in $DEFPAGER_PATH, and in $DEFPAGER_FD the number\n"
	"of a descriptor it inherits.\n"
	"\n"
	"  --size SIZE    the object's maximum size in bytes; K, M, G and T after\n"
	"                 the number mean powers of 1024\n"
	"  --name NAME    a name for people, shown by defpager objects\n"
	"  --store STORE  confine it to this backing store (needs root)\n"
	"  --user USER    run COMMAND as this user, whose object it is (needs root);\n"
	"                 USER:GROUP, or numbers, are possible, too\n"
	"  --help         this text\n"
	"\n"
	"If COMMAND could not be run, the status is 127 (not found), 126 (not\n"
	"executable), or 125 (all else).\n"
	"\n"
	"Example: defpager run --size 8G -- fio --name=test --filename={} --rw=randrw\n",
	.runs_another = true,
	.run = run_run,
};

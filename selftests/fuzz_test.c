// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences of requests, and of plain calls on what they made, with arguments of
 * all kinds. Whatever they are, each call succeeds or has an error that is
 * documented for it; it writes what it is to write, and nothing else; and when
 * all descriptors are closed, all is as it was before.
 *
 * Sequences that reach code of the module which none has reached before, or an
 * error that the request has not had, are kept and changed further. The kernel
 * tells what was reached if it has kcov (the debug kernel), else only errors
 * count.
 *
 * DEFPAGER_TEST_SEED repeats a seed, DEFPAGER_TEST_SECONDS says for how long;
 * DEFPAGER_TEST_PROGRAM repeats one sequence, as it is printed when it fails;
 * with DEFPAGER_TEST_VERBOSE each is printed before; DEFPAGER_TEST_COVERAGE is
 * the file to which places of the module that were reached are written.
 */
#include "fuzz_base.h"
#include "fuzz_corpus.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS_PRIVILEGED 14
#define SECONDS_UNPRIVILEGED 6

/*
 * No single call takes as long, however slow the machine: they wait for what is
 * small, or are interrupted.
 */
#define HANG_SECONDS 200

#define NOBODY 65534

static uint64_t nr_programs;

/* --- A process that carries out a sequence --------------------------------- */

static void become_nobody(void)
{
	must(setgroups(0, NULL) == 0);
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	must(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	/* Or what is in /proc/self is still root's. */
	must(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static void set_up_others(void)
{
	int ends[2];

	must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	fds[OTHER][0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[OTHER][1] = ends[0];
	fds[OTHER][2] = ends[1];
	fds[OTHER][3] = memfd_create("fuzz", MFD_CLOEXEC);
	fds[OTHER][4] = open("/dev/null", O_PATH | O_CLOEXEC);
	fds[OTHER][5] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < NR_SLOTS; i++)
		must(fds[OTHER][i] >= 0);
}

/* What a sequence begins with. */
static void set_up(const struct base *base)
{
	limit_fds(MAX_FDS);
	fds_init();
	arena_init();
	rows_init();
	maps_init();
	memset(data, 0xe5, sizeof(data));
	own_node = pager_open();
	must(own_node >= 0);
	fds[NODE][0] = pager_open();
	must(fds[NODE][0] >= 0);
	fds[STORE][0] = store_open(own_node, base->store);
	must(fds[STORE][0] >= 0);
	for (int i = 0; i < NR_DEVICES; i++)
		fds[DEVICE][i] = base->devices[i];
	set_up_others();
	keep_id(base->segment);
}

static void carry_out(const struct base *base, const struct program *program)
{
	set_up(base);
	if (!privileged)
		become_nobody();
	cover_begin();
	run_program(program);
	_exit(0);
}

/* --- Whoever waits for it ----------------------------------------------------- */

static void show_file_of(pid_t pid, const char *name)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		fprintf(stderr, "# %s: %s%s", name, line,
			strchr(line, '\n') ? "" : "\n");
	if (file)
		fclose(file);
}

/* False if it is in the same call for so long that it will stay there. */
static bool wait_for_end(pid_t pid, int *status)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	unsigned int progress;

	must(fd >= 0);
	do {
		progress = shared->progress;
		ret = poll(&poll_fd, 1, HANG_SECONDS * 1000);
	} while (ret == 0 && shared->progress != progress);
	close(fd);
	if (ret == 1)
		return waitpid(pid, status, 0) == pid;
	fprintf(stderr, "# it hangs\n");
	show_file_of(pid, "wchan");
	show_file_of(pid, "stack");
	show_file_of(pid, "syscall");
	return false;
}

/* Those that it has left behind, e.g. because it failed, end with it. */
static void reap_all(pid_t group)
{
	kill(-group, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static bool run_in_process(const struct base *base,
			   const struct program *program)
{
	unsigned int failures = shared->failures;
	int status = 0;
	bool ended;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		carry_out(base, program);
	}
	setpgid(pid, pid);
	ended = wait_for_end(pid, &status);
	/* One that hangs cannot be waited for either. */
	if (ended)
		reap_all(pid);
	else
		kill(-pid, SIGKILL);
	if (ended && shared->failures == failures && status)
		fprintf(stderr, "# it ended with status %#x\n", status);
	return ended && !status && shared->failures == failures;
}

static unsigned long long kernel_taint(void)
{
	return read_number("/proc/sys/kernel/tainted", "");
}

/* Runs one, and looks at what it has left behind. */
static bool run_one(struct base *base, const struct program *program)
{
	unsigned long long taint = kernel_taint();
	bool well;

	if (getenv("DEFPAGER_TEST_VERBOSE"))
		print_program(program);
	nr_programs++;
	shared->news = 0;
	well = run_in_process(base, program) && base_is_as_before(base);
	if (well && kernel_taint() != taint) {
		fprintf(stderr, "# the kernel has complained\n");
		well = false;
	}
	if (!well) {
		print_program(program);
		explain_program(program);
		fflush(stdout);
	}
	return well;
}

/* --- Fuzzing -------------------------------------------------------------------- */

static uint64_t choose_seed(void)
{
	const char *given = getenv("DEFPAGER_TEST_SEED");

	return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

static void report_outcomes(unsigned int op)
{
	const char *before = ": ";

	for (int error = 0; error < NR_ERRNOS; error++) {
		if (!shared->outcomes[op][error])
			continue;
		if (*before == ':')
			printf("# %s", operation_name(op));
		printf("%s%s %u", before, error ? strerrorname_np(error) : "ok",
		       shared->outcomes[op][error]);
		before = ", ";
	}
	if (*before == ',')
		printf("\n");
}

static void report(unsigned int places_of_seeds)
{
	const char *path = getenv("DEFPAGER_TEST_COVERAGE");

	for (unsigned int op = 0; op < NR_OPERATIONS; op++)
		report_outcomes(op);
	printf("# %ju sequences, %u calls, %u sequences kept\n",
	       (uintmax_t)nr_programs, shared->progress,
	       (unsigned int)(nr_corpus - NR_SEEDS));
	if (cover.fd >= 0)
		printf("# %u places of the module reached, %u of them by the first sequences\n",
		       shared->nr_places, places_of_seeds);
	if (cover.fd >= 0 && path)
		cover_write(path);
	/* This process ends without that. */
	fflush(stdout);
}

static bool repeat_program(struct base *base, const char *text, double seconds)
{
	double end = now() + seconds;
	struct program program;
	bool well;

	if (!parse_program(text, &program)) {
		fprintf(stderr, "# DEFPAGER_TEST_PROGRAM is none\n");
		return false;
	}
	do {
		well = run_one(base, &program);
	} while (well && now() < end);
	return well;
}

static bool fuzz(struct base *base, double seconds)
{
	unsigned int places_of_seeds;
	struct program program;
	double end;
	bool well = true;

	for (size_t i = 0; well && i < NR_SEEDS; i++)
		well = run_one(base, &seeds[i]);
	places_of_seeds = shared->nr_places;
	end = now() + seconds;
	while (well && now() < end) {
		program = mutated_program();
		well = run_one(base, &program);
		if (shared->news)
			corpus_add(&program);
	}
	report(places_of_seeds);
	return well;
}

/* Repeats what was asked for, or begins anew. */
static bool fuzz_or_repeat(struct base *base, double seconds)
{
	const char *text = getenv("DEFPAGER_TEST_PROGRAM");
	uint64_t seed = choose_seed();

	if (text)
		return repeat_program(base, text, test_seconds(seconds));
	printf("# DEFPAGER_TEST_SEED=%ju\n", (uintmax_t)seed);
	if (cover.fd < 0)
		printf("# no kcov in this kernel: what is reached is not known\n");
	corpus_init(seed);
	return fuzz(base, test_seconds(seconds));
}

/* --- The tests --------------------------------------------------------------------- */

FIXTURE(fuzz)
{
	struct base base;
};

FIXTURE_SETUP(fuzz)
{
	if (geteuid())
		SKIP(_exit(KSFT_SKIPPED), "needs root");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	/* What a sequence leaves behind when it fails is ours to wait for. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	cover_open();
}

FIXTURE_TEARDOWN(fuzz)
{
	base_destroy(&self->base);
	cover_close();
	munmap(shared, sizeof(*shared));
}

/* Each request can be made, and refused. */
static bool all_requests_were_made(bool as_root)
{
	bool all = true, refused;

	for (size_t op = 0; op < NR_REQUESTS; op++) {
		refused = false;
		for (int error = 1; error < NR_ERRNOS; error++)
			refused |= shared->outcomes[op][error];
		if (refused && (shared->outcomes[op][0] || !as_root))
			continue;
		fprintf(stderr, "# %s was never %s\n", requests[op].name,
			refused ? "made" : "refused");
		all = false;
	}
	return all;
}

TEST_F_TIMEOUT(fuzz, calls_have_documented_results, TIMEOUT)
{
	privileged = true;
	base_create(&self->base, true);
	ASSERT_TRUE(fuzz_or_repeat(&self->base, SECONDS_PRIVILEGED));
	if (getenv("DEFPAGER_TEST_PROGRAM"))
		return;
	EXPECT_TRUE(all_requests_were_made(true));
	/* If not: is it a kernel that was booted without "nokaslr"? */
	EXPECT_TRUE(cover.fd < 0 || shared->nr_places);
}

/* Somebody who was given the node and a store: others notice nothing of him. */
TEST_F_TIMEOUT(fuzz, calls_without_privileges_change_nothing_of_others, TIMEOUT)
{
	privileged = false;
	base_create(&self->base, false);
	ASSERT_TRUE(fuzz_or_repeat(&self->base, SECONDS_UNPRIVILEGED));
	for (size_t op = 0; op < NR_REQUESTS; op++)
		EXPECT_TRUE(!requests[op].sys_admin || !shared->outcomes[op][0]);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processes share a memory object: one creates and fills it and hands it
 * to the other over a unix socket, which verifies all of it and changes some,
 * which the first then sees.
 *
 *	demo_share MIB [SHELL-COMMAND]
 *
 * The command is run in the end, while the object still exists.  The exit
 * status is 0 if every page was always what it had to be.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libdefpager.h>

/* The other process changes every one of so many pages. */
#define CHANGED_EVERY 16

/* What a page holds. */
enum content {
	CONTENT_FIRST,
	CONTENT_CHANGED,
};

/* An object, as one process sees it. */
struct view {
	const char *who;
	uint64_t *words;
	uint64_t pages;
	size_t words_per_page;
};

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	fputs("demo_share: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

static void bus_error(int signal)
{
	static const char text[] =
		"\ndemo_share: SIGBUS: the pager has no space for a page, "
		"or cannot read it\n";

	(void)signal;
	_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 2 : 1);
}

/* Different for each word of each page, so that no page is like another. */
static uint64_t pattern(uint64_t number, enum content content)
{
	uint64_t x = (number << 1 | content) * 0x9e3779b97f4a7c15;

	return x ^ x >> 29;
}

static uint64_t *page_words(const struct view *view, uint64_t page)
{
	return view->words + page * view->words_per_page;
}

static void write_page(const struct view *view, uint64_t page,
		       enum content content)
{
	uint64_t *words = page_words(view, page);
	uint64_t first = page * view->words_per_page;

	for (size_t i = 0; i < view->words_per_page; i++)
		words[i] = pattern(first + i, content);
}

static bool page_is(const struct view *view, uint64_t page,
		    enum content content)
{
	const uint64_t *words = page_words(view, page);
	uint64_t first = page * view->words_per_page;

	for (size_t i = 0; i < view->words_per_page; i++)
		if (words[i] != pattern(first + i, content))
			return false;
	return true;
}

static void progress(const struct view *view, uint64_t page)
{
	uint64_t tenth = 10 * (page + 1) / view->pages;

	if (tenth == 10 * page / view->pages)
		return;
	printf(" %" PRIu64 "%%%s", 10 * tenth, tenth == 10 ? "\n" : "");
	fflush(stdout);
}

static void begin(const struct view *view, const char *what)
{
	printf("  %s %-25s", view->who, what);
	fflush(stdout);
}

static void fill(const struct view *view)
{
	begin(view, "fills every page:");
	for (uint64_t page = 0; page < view->pages; page++) {
		write_page(view, page, CONTENT_FIRST);
		progress(view, page);
	}
}

static void change_some(const struct view *view)
{
	begin(view, "changes every 16th page:");
	for (uint64_t page = 0; page < view->pages; page++) {
		if (page % CHANGED_EVERY == 0)
			write_page(view, page, CONTENT_CHANGED);
		progress(view, page);
	}
}

/* Returns how many pages are not what they should be. */
static uint64_t verify(const struct view *view, bool changed)
{
	uint64_t right[] = { [CONTENT_FIRST] = 0, [CONTENT_CHANGED] = 0 };
	uint64_t different;

	begin(view, "verifies every page:");
	for (uint64_t page = 0; page < view->pages; page++) {
		enum content content = changed && page % CHANGED_EVERY == 0
					       ? CONTENT_CHANGED
					       : CONTENT_FIRST;

		right[content] += page_is(view, page, content);
		progress(view, page);
	}
	different = view->pages - right[CONTENT_FIRST] - right[CONTENT_CHANGED];
	printf("  %s found %" PRIu64 " pages as filled, %" PRIu64
	       " as changed, %" PRIu64 " different\n", view->who,
	       right[CONTENT_FIRST], right[CONTENT_CHANGED], different);
	fflush(stdout);
	return different;
}

static int create_object(uint64_t size)
{
	struct defpager_object_create create = {
		.size = sizeof(create),
		.object_size = size,
		.backing_store = -1,
		.name = "shared",
	};
	int object = libdefpager_object_create(libdefpager_open(), &create);

	if (object < 0)
		fail("cannot create the object: %s", strerror(-object));
	return object;
}

static struct view map_object(const char *who, int object)
{
	struct view view = { .who = who };
	size_t page_size = sysconf(_SC_PAGESIZE);
	struct stat st;

	if (fstat(object, &st) < 0)
		fail("cannot look at the object: %m");
	view.words = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  object, 0);
	if (view.words == MAP_FAILED)
		fail("cannot map the object: %m");
	view.pages = st.st_size / page_size;
	view.words_per_page = page_size / sizeof(uint64_t);
	return view;
}

union descriptor_message {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_descriptor(int socket, int fd)
{
	union descriptor_message control = { };
	struct iovec data = { .iov_base = "o", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) < 0)
		fail("cannot send the descriptor: %m");
}

static int receive_descriptor(int socket)
{
	union descriptor_message control = { };
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;
	int fd;

	/* 0 bytes: the other process is gone, and has said why. */
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0)
		exit(EXIT_FAILURE);
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		fail("received no descriptor");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void __attribute__((noreturn)) second_process(int socket)
{
	struct view view = map_object("second process",
				      receive_descriptor(socket));
	uint64_t different = verify(&view, false);

	change_some(&view);
	if (send(socket, &different, sizeof(different), 0) < 0)
		fail("cannot answer: %m");
	exit(EXIT_SUCCESS);
}

/* Returns how many pages either process found different. */
static uint64_t first_process(int socket, uint64_t size)
{
	int object = create_object(size);
	struct view view = map_object("first process ", object);
	uint64_t different;

	fill(&view);
	puts("  first process  sends the descriptor to the second");
	fflush(stdout);
	send_descriptor(socket, object);
	if (recv(socket, &different, sizeof(different), 0) !=
	    sizeof(different))
		fail("the second process did not answer");
	return different + verify(&view, true);
}

static pid_t start_second_process(const int sockets[2])
{
	pid_t pid = fork();

	if (pid < 0)
		fail("cannot start a process: %m");
	if (!pid) {
		/* Or it would not notice that the first one is gone. */
		close(sockets[0]);
		second_process(sockets[1]);
	}
	close(sockets[1]);
	return pid;
}

int main(int argc, char **argv)
{
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t different;
	int sockets[2];
	pid_t second;
	int status;

	if (!mib || argc > 3)
		fail("usage: demo_share MIB [SHELL-COMMAND]");
	signal(SIGBUS, bus_error);
	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		fail("cannot create a socket: %m");

	/* Before there is an object: it can have it by the socket only. */
	second = start_second_process(sockets);
	different = first_process(sockets[0], mib << 20);
	if (waitpid(second, &status, 0) < 0 || status)
		fail("the second process failed");
	if (argc > 2 && system(argv[2]))
		fail("failed: %s", argv[2]);
	return different ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block devices that fail when they are told to: parts of the second disk, behind
 * the device mapper.
 *
 * As in paging_utils.h, what cannot fail ends the process.
 */
#ifndef FAULTY_UTILS_H
#define FAULTY_UTILS_H

#include <poll.h>

#include "store_utils.h"

#define SECTORS_PER_PAGE (page_size() / 512)

/* Runs a shell command; whether its exit status was 0. */
__attribute__((format(printf, 1, 2))) static inline bool
shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command) == 0;
}

/* --- Devices ----------------------------------------------------------- */

#define FAULTY_DISK "/dev/vdb"

struct faulty {
	char name[16];
	uint64_t first;		/* sector of the disk */
	uint64_t sectors;
	int fd;
};

static inline const char *faulty_missing(void)
{
	if (!shell("dmsetup version >/dev/null 2>&1"))
		return "there is no dmsetup";
	/* Silent where it is built in. */
	shell("modprobe -qa dm-mod dm-flakey");
	if (!shell("dmsetup targets | grep -q ^flakey"))
		return "the kernel has no dm-flakey";
	return NULL;
}

enum faulty_way {
	FAULTY_WELL,
	FAULTY_REFUSES_WRITES,
	FAULTY_FAILS,
};

#define FOR_EVER 1000000

/* One line of a table. */
static inline void faulty_map(FILE *table, const struct faulty *faulty,
			      uint64_t start, uint64_t sectors,
			      enum faulty_way way)
{
	fprintf(table, "%ju %ju ", start, sectors);
	switch (way) {
	case FAULTY_WELL:
		fprintf(table, "linear " FAULTY_DISK " %ju\n",
			faulty->first + start);
		break;
	case FAULTY_REFUSES_WRITES:
		fprintf(table, "flakey " FAULTY_DISK " %ju 0 %d 1 error_writes\n",
			faulty->first + start, FOR_EVER);
		break;
	case FAULTY_FAILS:
		fprintf(table, "error\n");
		break;
	}
}

static inline FILE *faulty_table(const struct faulty *faulty, const char *verb)
{
	char command[64];
	FILE *table;

	snprintf(command, sizeof(command), "dmsetup %s %s", verb, faulty->name);
	table = popen(command, "w");
	must(table);
	return table;
}

static inline void faulty_load(const struct faulty *faulty, FILE *table)
{
	must(pclose(table) == 0);
	/* What is on its way goes where it was to go. */
	must(shell("dmsetup resume %s", faulty->name));
}

/* All is well. */
static inline void faulty_heal(const struct faulty *faulty)
{
	FILE *table = faulty_table(faulty, "load");

	faulty_map(table, faulty, 0, faulty->sectors, FAULTY_WELL);
	faulty_load(faulty, table);
}

/* Nothing can be read or written. */
static inline void faulty_break(const struct faulty *faulty)
{
	FILE *table = faulty_table(faulty, "load");

	faulty_map(table, faulty, 0, faulty->sectors, FAULTY_FAILS);
	faulty_load(faulty, table);
}

/*
 * Nothing can be written for @down seconds, then it can for @up seconds, and so
 * on. What is there can be read at any time.
 */
static inline void faulty_refuse_writes(const struct faulty *faulty, int up,
					int down)
{
	FILE *table = faulty_table(faulty, "load");

	fprintf(table, "0 %ju flakey " FAULTY_DISK " %ju %d %d 1 error_writes\n",
		faulty->sectors, faulty->first, up, down);
	faulty_load(faulty, table);
}

/*
 * These pages of the device behave like this, and all others well: @pages is
 * for each page of it whether it is one of them.
 */
static inline void faulty_set_pages(const struct faulty *faulty,
				    const bool *pages, enum faulty_way way)
{
	uint64_t end = faulty->sectors / SECTORS_PER_PAGE, first, page = 0;
	FILE *table = faulty_table(faulty, "load");

	while (page < end) {
		first = page;
		while (page < end && pages[page] == pages[first])
			page++;
		faulty_map(table, faulty, first * SECTORS_PER_PAGE,
			   (page - first) * SECTORS_PER_PAGE,
			   pages[first] ? way : FAULTY_WELL);
	}
	faulty_load(faulty, table);
}

static inline void faulty_break_pages(const struct faulty *faulty,
				      const bool *pages)
{
	faulty_set_pages(faulty, pages, FAULTY_FAILS);
}

/* A device, which is well, of a part of the disk. */
static inline struct faulty faulty_new(const char *name, uint64_t offset,
				       uint64_t bytes)
{
	struct faulty faulty = {
		.first = offset / 512,
		.sectors = bytes / 512,
	};
	char path[64];
	FILE *table;

	snprintf(faulty.name, sizeof(faulty.name), "%s", name);
	/* A test that was ended by a failure has left it behind. */
	shell("dmsetup remove %s >/dev/null 2>&1", name);
	table = faulty_table(&faulty, "create");
	faulty_map(table, &faulty, 0, faulty.sectors, FAULTY_WELL);
	must(pclose(table) == 0);
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	faulty.fd = open(path, O_RDWR | O_CLOEXEC);
	must(faulty.fd >= 0);
	return faulty;
}

/* No segment is on it any more. */
static inline void faulty_remove(struct faulty *faulty)
{
	close(faulty->fd);
	must(shell("dmsetup remove --retry %s", faulty->name));
}

static inline uint64_t segment_on(int store, const struct faulty *faulty)
{
	return segment_at(store, faulty->fd, 0, faulty->sectors * 512);
}

/* --- A SCSI disk that does not exist ----------------------------------- */

#define SCSI_DEBUG "/sys/bus/pseudo/drivers/scsi_debug"

static inline const char *scsi_debug_missing(void)
{
	shell("modprobe -q sd_mod");
	/* A tenth of a millisecond for each request. */
	if (!shell("modprobe -q scsi_debug dev_size_mb=32 ndelay=100000 add_host=0"))
		return "the kernel has no scsi_debug";
	return NULL;
}

static inline bool find_scsi_disk(char path[32])
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/block");
	bool found = false;

	must(dir);
	while (!found && (entry = readdir(dir))) {
		found = !strncmp(entry->d_name, "sd", 2);
		if (found)
			snprintf(path, 32, "/dev/%.16s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/* The node of a new disk is there before it can be opened. */
static inline bool can_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Plugs one in, and tells its path. It takes a moment to be found. */
static inline void scsi_debug_add(char path[32])
{
	must(write_text(SCSI_DEBUG "/add_host", "1") == 0);
	must(wait_until(find_scsi_disk(path) && can_open(path)));
}

/* Takes the adapter away, and what is left of the disk with it. */
static inline void scsi_debug_remove(void)
{
	char path[32];

	must(write_text(SCSI_DEBUG "/add_host", "-1") == 0);
	must(wait_until(!find_scsi_disk(path)));
}

/* --- What becomes of segments ------------------------------------------ */

static inline bool segment_is(int store, uint64_t id, uint32_t state)
{
	return segment_state(store, id).state == state;
}

/* Asks for pages to be written, and waits until that has made a segment fail. */
static inline bool pageout_fails(int store, uint64_t id,
				 const struct memory *memory)
{
	return wait_until(segment_is(store, id, DEFPAGER_SEGMENT_FAILING) ||
			  (ask_to_evict(memory), false));
}

static inline bool recovers(int store, uint64_t id)
{
	return wait_until(segment_is(store, id, DEFPAGER_SEGMENT_ACTIVE));
}

/* --- Pages that cannot be read ----------------------------------------- */

/*
 * Reads a page through the mapping: whether it is there, as @generation says;
 * @error is set if that ended in SIGBUS. Not for several threads.
 */
static inline bool page_is_there(const struct memory *memory, uint64_t page,
				 uint32_t generation, bool *error)
{
	struct sigaction action = { .sa_handler = bus_error };
	struct sigaction saved;
	volatile bool there = false;

	*error = false;
	must(sigaction(SIGBUS, &action, &saved) == 0);
	if (sigsetjmp(on_bus_error, 1))
		*error = true;
	else
		there = verify(memory, page, 1, generation);
	must(sigaction(SIGBUS, &saved, NULL) == 0);
	return there;
}

#endif /* FAULTY_UTILS_H */

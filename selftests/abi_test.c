// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract that all ioctls have in common: sizes, flags, addresses, the kind
 * of descriptor, and that a failure changes nothing.
 *
 * Every case has exactly one thing wrong with it.
 */
#include "defpager_utils.h"
#include <kselftest_harness.h>

enum kind { PAGER, STORE, OBJECT, NR_KINDS };

#define RECORD 4096
#define ROWS 4

/* Room for a request, and a page more. */
#define ARG_BYTES (3 * 4096)

static const struct command {
	enum kind kind;
	unsigned long cmd;
} commands[] = {
	{ PAGER, DEFPAGER_IOC_INFO },
	{ PAGER, DEFPAGER_IOC_OBJECT_CREATE },
	{ PAGER, DEFPAGER_IOC_OBJECTS },
	{ PAGER, DEFPAGER_IOC_BACKING_STORE_OPEN },
	{ PAGER, DEFPAGER_IOC_BACKING_STORE_CREATE },
	{ PAGER, DEFPAGER_IOC_BACKING_STORES },
	{ STORE, DEFPAGER_IOC_BACKING_STORE_INFO },
	{ STORE, DEFPAGER_IOC_SEGMENT_ADD },
	{ STORE, DEFPAGER_IOC_SEGMENTS },
	{ STORE, DEFPAGER_IOC_SEGMENT_REMOVE },
	{ STORE, DEFPAGER_IOC_BACKING_STORE_DELETE },
	{ STORE, DEFPAGER_IOC_BACKING_STORE_ALERT },
	{ STORE, DEFPAGER_IOC_BACKING_STORE_LIMIT },
	{ OBJECT, DEFPAGER_IOC_OBJECT_INFO },
	{ OBJECT, DEFPAGER_IOC_OBJECT_PAGES },
	{ OBJECT, DEFPAGER_IOC_OBJECT_SEAL },
	{ OBJECT, DEFPAGER_IOC_OBJECT_PAGEOUT },
};

static bool known_command(enum kind kind, unsigned long cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].kind == kind && commands[i].cmd == cmd)
			return true;
	return false;
}

FIXTURE(abi)
{
	int fd[NR_KINDS];
	int device;
	uint64_t next_record;
	uint64_t segment;	/* one to remove */
	unsigned int next_store;
	char rows[ROWS * 4096];
	unsigned char *arg;
	unsigned char before[ARG_BYTES];
	struct pager_state state;
};

/* The size of the struct now, and as it was in its first version. */
FIXTURE_VARIANT(abi)
{
	enum kind kind;
	unsigned long cmd;
	uint32_t size;
	uint32_t min_size;
	uint32_t known_flags;
};

#define ABI_VARIANT(_name, _kind, _cmd, _struct, _last, _flags)		\
	FIXTURE_VARIANT_ADD(abi, _name)					\
	{								\
		.kind = _kind,						\
		.cmd = _cmd,						\
		.size = sizeof(struct _struct),				\
		.min_size = END_OF(_struct, _last),			\
		.known_flags = _flags,					\
	}

ABI_VARIANT(info, PAGER, DEFPAGER_IOC_INFO, defpager_info, read_errors, 0);
ABI_VARIANT(object_create, PAGER, DEFPAGER_IOC_OBJECT_CREATE,
	    defpager_object_create, name,
	    DEFPAGER_OBJECT_SEQNO | DEFPAGER_OBJECT_RESERVE |
	    DEFPAGER_OBJECT_RESIDENT);
ABI_VARIANT(objects, PAGER, DEFPAGER_IOC_OBJECTS, defpager_list, count, 0);
ABI_VARIANT(backing_store_open, PAGER, DEFPAGER_IOC_BACKING_STORE_OPEN,
	    defpager_backing_store_open, name, 0);
ABI_VARIANT(backing_store_create, PAGER, DEFPAGER_IOC_BACKING_STORE_CREATE,
	    defpager_backing_store_create, name,
	    DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD |
	    DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT);
ABI_VARIANT(backing_stores, PAGER, DEFPAGER_IOC_BACKING_STORES, defpager_list,
	    count, 0);
ABI_VARIANT(backing_store_info, STORE, DEFPAGER_IOC_BACKING_STORE_INFO,
	    defpager_backing_store_info, name, 0);
ABI_VARIANT(segment_add, STORE, DEFPAGER_IOC_SEGMENT_ADD, defpager_segment_add,
	    unused_tail, DEFPAGER_SEGMENT_DISCARD);
ABI_VARIANT(segments, STORE, DEFPAGER_IOC_SEGMENTS, defpager_list, count, 0);
ABI_VARIANT(segment_remove, STORE, DEFPAGER_IOC_SEGMENT_REMOVE,
	    defpager_segment_remove, error_offset, 0);
ABI_VARIANT(backing_store_delete, STORE, DEFPAGER_IOC_BACKING_STORE_DELETE,
	    defpager_backing_store_delete, error_offset, 0);
ABI_VARIANT(backing_store_alert, STORE, DEFPAGER_IOC_BACKING_STORE_ALERT,
	    defpager_backing_store_alert, free_bytes,
	    DEFPAGER_ALERT_LOW | DEFPAGER_ALERT_HIGH);
ABI_VARIANT(backing_store_limit, STORE, DEFPAGER_IOC_BACKING_STORE_LIMIT,
	    defpager_backing_store_limit, old_user_bytes,
	    DEFPAGER_LIMIT_OBJECT | DEFPAGER_LIMIT_USER);
ABI_VARIANT(object_info, OBJECT, DEFPAGER_IOC_OBJECT_INFO, defpager_object_info,
	    name, 0);
ABI_VARIANT(object_pages, OBJECT, DEFPAGER_IOC_OBJECT_PAGES, defpager_list,
	    count, 0);
ABI_VARIANT(object_seal, OBJECT, DEFPAGER_IOC_OBJECT_SEAL, defpager_object_seal,
	    seals, 0);
ABI_VARIANT(object_pageout, OBJECT, DEFPAGER_IOC_OBJECT_PAGEOUT,
	    defpager_object_pageout, dirty_bytes,
	    DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_IN | DEFPAGER_PAGEOUT_WAIT);

FIXTURE_SETUP(abi)
{
	self->fd[PAGER] = pager_open();
	ASSERT_LE(0, self->fd[PAGER]);
	/* One that may be deleted. */
	self->fd[STORE] = store_create(self->fd[PAGER], "abi", 0, 0, 0);
	ASSERT_LE(0, self->fd[STORE]);
	self->fd[OBJECT] = object_create(self->fd[PAGER], page_size());
	ASSERT_LE(0, self->fd[OBJECT]);
	self->device = loop_create(MIB(1), 512, 0);
	ASSERT_LE(0, self->device);
	self->arg = mmap(NULL, ARG_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->arg);
}

FIXTURE_TEARDOWN(abi)
{
	munmap(self->arg, ARG_BYTES);
	close(self->device);
	EXPECT_EQ(0, stores_delete_all(self->fd[PAGER]));
	for (int i = 0; i < NR_KINDS; i++)
		close(self->fd[i]);
}

/* What a request takes away is there again for the next one. */
static void need_segment(FIXTURE_DATA(abi) *self)
{
	struct defpager_segment_info row;
	struct defpager_segment_add add;

	if (!list_find(self->fd[STORE], DEFPAGER_IOC_SEGMENTS, self->segment,
		       &row, sizeof(row)))
		return;
	add = segment_range(self->device, self->next_record++, 1, RECORD);
	defpager_ioctl(self->fd[STORE], DEFPAGER_IOC_SEGMENT_ADD, &add);
	self->segment = add.id;
}

static void need_store(FIXTURE_DATA(abi) *self)
{
	int store = store_create(self->fd[PAGER], "abi", 0, 0, 0);

	if (store < 0)
		return;
	close(self->fd[STORE]);
	self->fd[STORE] = store;
}

/* Makes a request which is right in all respects; outputs are poisoned. */
static void fill_request(FIXTURE_DATA(abi) *self, unsigned long cmd,
			 uint32_t size, void *arg)
{
	memset(arg, POISON, size);
	memcpy(arg, &size, sizeof(size));
	memset(arg + sizeof(size), 0, sizeof(uint32_t));

	switch (cmd) {
	case DEFPAGER_IOC_OBJECT_CREATE: {
		struct defpager_object_create *create = arg;

		create->object_size = page_size();
		create->seqno = 0;
		create->backing_store = -1;
		memset(create->name, 0, sizeof(create->name));
		break;
	}
	case DEFPAGER_IOC_OBJECTS:
	case DEFPAGER_IOC_SEGMENTS:
	case DEFPAGER_IOC_BACKING_STORES:
	case DEFPAGER_IOC_OBJECT_PAGES: {
		struct defpager_list *list = arg;

		list->start = 0;
		list->rows = (uintptr_t)self->rows;
		list->row_size = known_row_size(cmd);
		list->count = ROWS;
		break;
	}
	case DEFPAGER_IOC_BACKING_STORE_CREATE: {
		struct defpager_backing_store_create *create = arg;

		create->priority = 0;
		create->cluster_bytes = 0;
		create->reserved = 0;
		memset(create->name, 0, sizeof(create->name));
		sprintf(create->name, "abi %u", self->next_store++);
		break;
	}
	case DEFPAGER_IOC_BACKING_STORE_OPEN: {
		struct defpager_backing_store_open *open = arg;

		open->reserved = 0;
		memset(open->name, 0, sizeof(open->name));
		strcpy(open->name, DEFPAGER_DEFAULT_STORE);
		break;
	}
	case DEFPAGER_IOC_SEGMENT_ADD: {
		struct defpager_segment_add *add = arg;

		add->device = self->device;
		add->record_size = RECORD;
		add->offset = self->next_record++;
		add->count = 1;
		break;
	}
	case DEFPAGER_IOC_SEGMENT_REMOVE: {
		struct defpager_segment_remove *removal = arg;

		need_segment(self);
		removal->id = self->segment;
		removal->target = -1;
		removal->reserved = 0;
		break;
	}
	case DEFPAGER_IOC_BACKING_STORE_DELETE: {
		struct defpager_backing_store_delete *delete = arg;

		need_store(self);
		delete->target = -1;
		delete->reserved = 0;
		break;
	}
	case DEFPAGER_IOC_OBJECT_SEAL: {
		struct defpager_object_seal *seal = arg;

		seal->add = 0;
		break;
	}
	case DEFPAGER_IOC_OBJECT_PAGEOUT: {
		struct defpager_object_pageout *pageout = arg;

		pageout->flags = DEFPAGER_PAGEOUT_OUT;
		pageout->offset = 0;
		pageout->length = 0;
		break;
	}
	case DEFPAGER_IOC_BACKING_STORE_LIMIT: {
		struct defpager_backing_store_limit *limit = arg;

		limit->flags = DEFPAGER_LIMIT_OBJECT;
		limit->object_bytes = page_size();
		limit->user_bytes = 0;
		break;
	}
	case DEFPAGER_IOC_BACKING_STORE_ALERT: {
		struct defpager_backing_store_alert *alert = arg;

		alert->low_bytes = MIB(1);
		alert->high_bytes = MIB(1);
		alert->reserved = 0;
		break;
	}
	}
}

/* What comes behind the request is poisoned, too. */
static void fill_arg(FIXTURE_DATA(abi) *self, const FIXTURE_VARIANT(abi) *variant)
{
	memset(self->arg, POISON, ARG_BYTES);
	fill_request(self, variant->cmd, variant->size, self->arg);
}

static void set_size(void *arg, uint32_t size)
{
	memcpy(arg, &size, sizeof(size));
}

static void set_flags(void *arg, uint32_t flags)
{
	memcpy(arg + sizeof(uint32_t), &flags, sizeof(flags));
}

/* Makes the request and returns what it said, or 1 if it changed something. */
static int fails_cleanly(FIXTURE_DATA(abi) *self, int fd, unsigned long cmd)
{
	struct pager_state state;
	int ret;

	memcpy(self->before, self->arg, ARG_BYTES);
	if (pager_state(self->fd[PAGER], &self->state))
		return 1;
	ret = defpager_ioctl(fd, cmd, self->arg);
	if (memcmp(self->before, self->arg, ARG_BYTES))
		return 1;
	if (pager_state(self->fd[PAGER], &state))
		return 1;
	return memcmp(&state, &self->state, sizeof(state)) ? 1 : ret;
}

TEST_F(abi, exact_size_succeeds)
{
	fill_arg(self, variant);
	ASSERT_EQ(0, defpager_ioctl(self->fd[variant->kind], variant->cmd,
				    self->arg));
	for (size_t i = variant->size; i < ARG_BYTES; i++) {
		ASSERT_EQ(POISON, self->arg[i])
			TH_LOG("byte %zu behind the struct", i - variant->size);
	}
}

/* What the first version had is enough, and no more than asked for is written. */
TEST_F(abi, size_of_the_first_version_succeeds)
{
	const uint32_t sizes[] = { variant->min_size,
				   (variant->min_size + variant->size) / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_arg(self, variant);
		set_size(self->arg, sizes[i]);
		memset(self->arg + sizes[i], POISON, variant->size - sizes[i]);
		ASSERT_EQ(0, defpager_ioctl(self->fd[variant->kind],
					    variant->cmd, self->arg))
			TH_LOG("size %u", sizes[i]);
		EXPECT_EQ(sizes[i], *(uint32_t *)self->arg);
		for (size_t j = sizes[i]; j < ARG_BYTES; j++) {
			ASSERT_EQ(POISON, self->arg[j]);
		}
	}
}

TEST_F(abi, shorter_size_fails)
{
	for (uint32_t size = 0; size < variant->min_size; size++) {
		fill_arg(self, variant);
		set_size(self->arg, size);
		ASSERT_EQ(-EINVAL, fails_cleanly(self, self->fd[variant->kind],
						 variant->cmd))
			TH_LOG("size %u", size);
	}
}

/* As much as a page: no struct will ever be longer. */
TEST_F(abi, longer_with_zero_tail_succeeds)
{
	const uint32_t sizes[] = {
		variant->size + 1, variant->size + 4, variant->size + 8,
		variant->size + 1000, page_size(),
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_arg(self, variant);
		set_size(self->arg, sizes[i]);
		memset(self->arg + variant->size, 0, sizes[i] - variant->size);
		ASSERT_EQ(0, defpager_ioctl(self->fd[variant->kind],
					    variant->cmd, self->arg))
			TH_LOG("size %u", sizes[i]);
		for (size_t j = variant->size; j < sizes[i]; j++) {
			ASSERT_EQ(0, self->arg[j]);
		}
		ASSERT_EQ(POISON, self->arg[sizes[i]]);
	}
}

TEST_F(abi, longer_with_nonzero_tail_fails)
{
	const struct {
		uint32_t size;
		uint32_t at;
	} cases[] = {
		{ variant->size + 1, variant->size },
		{ variant->size + 8, variant->size },
		{ variant->size + 8, variant->size + 7 },
		{ page_size(), variant->size },
		{ page_size(), page_size() - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fill_arg(self, variant);
		set_size(self->arg, cases[i].size);
		memset(self->arg + variant->size, 0,
		       cases[i].size - variant->size);
		self->arg[cases[i].at] = 1;
		ASSERT_EQ(-E2BIG, fails_cleanly(self, self->fd[variant->kind],
						variant->cmd))
			TH_LOG("size %u, byte %u", cases[i].size, cases[i].at);
	}
}

TEST_F(abi, larger_than_a_page_fails)
{
	const uint32_t sizes[] = { page_size() + 1, 2 * page_size(), 1U << 31,
				   UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_arg(self, variant);
		set_size(self->arg, sizes[i]);
		memset(self->arg + variant->size, 0, ARG_BYTES - variant->size);
		ASSERT_EQ(-E2BIG, fails_cleanly(self, self->fd[variant->kind],
						variant->cmd))
			TH_LOG("size %u", sizes[i]);
	}
}

TEST_F(abi, unknown_flag_fails)
{
	for (int bit = 0; bit < 32; bit++) {
		if (variant->known_flags & 1U << bit)
			continue;
		fill_arg(self, variant);
		set_flags(self->arg, 1U << bit);
		ASSERT_EQ(-EINVAL, fails_cleanly(self, self->fd[variant->kind],
						 variant->cmd))
			TH_LOG("flag bit %d", bit);
	}
}

TEST_F(abi, inaccessible_struct_fails)
{
	unsigned char *last = self->arg + ARG_BYTES - page_size();
	struct pager_state before, after;
	/* How much of the struct lies in front of the hole. */
	const uint32_t accessible[] = { 0, 1, 4, 8, variant->size - 1 };

	fill_arg(self, variant);
	ASSERT_EQ(0, mprotect(last, page_size(), PROT_NONE));
	ASSERT_EQ(0, pager_state(self->fd[PAGER], &before));
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd[variant->kind], variant->cmd,
					  NULL));
	for (size_t i = 0; i < ARRAY_SIZE(accessible); i++) {
		unsigned char *arg = last - accessible[i];
		unsigned char request[1024];

		fill_request(self, variant->cmd, variant->size, request);
		memcpy(arg, request, accessible[i]);
		ASSERT_EQ(-EFAULT, defpager_ioctl(self->fd[variant->kind],
						  variant->cmd, arg))
			TH_LOG("%u bytes accessible", accessible[i]);
		ASSERT_EQ(0, memcmp(arg, request, accessible[i]));
	}
	ASSERT_EQ(0, pager_state(self->fd[PAGER], &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

/* The answer has no place to go: what was done has to be undone. */
TEST_F(abi, read_only_struct_fails)
{
	fill_arg(self, variant);
	ASSERT_EQ(0, mprotect(self->arg, ARG_BYTES, PROT_READ));
	EXPECT_EQ(-EFAULT, fails_cleanly(self, self->fd[variant->kind],
					 variant->cmd));
	ASSERT_EQ(0, mprotect(self->arg, ARG_BYTES, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, defpager_ioctl(self->fd[variant->kind], variant->cmd,
				    self->arg));
}

TEST_F(abi, inaccessible_tail_fails)
{
	unsigned char *last = self->arg + ARG_BYTES - page_size();
	unsigned char *arg = last - variant->size;

	ASSERT_EQ(0, mprotect(last, page_size(), PROT_NONE));
	fill_request(self, variant->cmd, variant->size, arg);
	set_size(arg, variant->size + 1);
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd[variant->kind], variant->cmd,
					  arg));
	/* And the same request is fine when that byte is no part of it. */
	set_size(arg, variant->size);
	EXPECT_EQ(0, defpager_ioctl(self->fd[variant->kind], variant->cmd, arg));
}

TEST_F(abi, other_descriptors_do_not_know_it)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		if (kind == (int)variant->kind)
			continue;
		fill_arg(self, variant);
		EXPECT_EQ(-ENOTTY, fails_cleanly(self, self->fd[kind],
						 variant->cmd))
			TH_LOG("descriptor of kind %d", kind);
	}
}

/* The size and direction are part of a command's number. */
TEST_F(abi, other_encodings_are_unknown)
{
	unsigned int nr = _IOC_NR(variant->cmd);
	const unsigned long others[] = {
		_IOC(_IOC_READ, DEFPAGER_IOC_TYPE, nr, variant->size),
		_IOC(_IOC_WRITE, DEFPAGER_IOC_TYPE, nr, variant->size),
		_IOC(_IOC_READ | _IOC_WRITE, DEFPAGER_IOC_TYPE, nr,
		     variant->size),
		_IOC(_IOC_NONE, DEFPAGER_IOC_TYPE, nr, variant->size),
		_IOC(_IOC_READ, DEFPAGER_IOC_TYPE, nr, 0),
		_IO(DEFPAGER_IOC_TYPE + 1, nr),
		_IO(DEFPAGER_IOC_TYPE - 1, nr),
		/* What FIBMAP and FIGETBSZ do is not ours. */
		nr > 2 ? _IO(0, nr) : _IO(DEFPAGER_IOC_TYPE ^ 0x80, nr),
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		fill_arg(self, variant);
		EXPECT_EQ(-ENOTTY, fails_cleanly(self, self->fd[variant->kind],
						 others[i]))
			TH_LOG("command %#lx", others[i]);
	}
}

#ifdef __x86_64__
/* What an ioctl() of a 32-bit program does. */
static int ioctl_32bit(int fd, unsigned int cmd, void *arg)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int no_32bit_call(void *arg)
{
	(void)arg;
	return ioctl_32bit(-1, 0, NULL) != -EBADF;
}

TEST_F(abi, works_for_32bit_programs)
{
	void *arg, *rows;

	if (in_child(no_32bit_call, NULL))
		SKIP(return, "this kernel has no 32-bit system calls");
	arg = mmap(NULL, ARG_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	rows = mmap(NULL, ARG_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, rows);
	fill_request(self, variant->cmd, variant->size, arg);
	if (known_row_size(variant->cmd))
		((struct defpager_list *)arg)->rows = (uintptr_t)rows;
	ASSERT_EQ(0, ioctl_32bit(self->fd[variant->kind], variant->cmd, arg));
	munmap(rows, ARG_BYTES);
	munmap(arg, ARG_BYTES);
}
#endif

FIXTURE(command)
{
	int fd[NR_KINDS];
};

FIXTURE_SETUP(command)
{
	self->fd[PAGER] = pager_open();
	ASSERT_LE(0, self->fd[PAGER]);
	self->fd[STORE] = store_open(self->fd[PAGER], DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->fd[STORE]);
	self->fd[OBJECT] = object_create(self->fd[PAGER], page_size());
	ASSERT_LE(0, self->fd[OBJECT]);
}

FIXTURE_TEARDOWN(command)
{
	for (int i = 0; i < NR_KINDS; i++)
		close(self->fd[i]);
}

TEST_F(command, unknown_number_fails)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		for (unsigned int nr = 0; nr < 256; nr++) {
			unsigned long cmd = _IO(DEFPAGER_IOC_TYPE, nr);

			if (known_command(kind, cmd))
				continue;
			ASSERT_EQ(-ENOTTY, defpager_ioctl(self->fd[kind], cmd,
							  NULL))
				TH_LOG("number %u, kind %d", nr, kind);
		}
	}
}

/* The pager and a store have nothing to read, write or map. */
TEST_F(command, only_objects_have_contents)
{
	char byte = 0;

	for (int kind = PAGER; kind <= STORE; kind++) {
		EXPECT_EQ(-1, read(self->fd[kind], &byte, 1));
		EXPECT_EQ(-1, write(self->fd[kind], &byte, 1));
		EXPECT_EQ(MAP_FAILED, mmap(NULL, page_size(), PROT_READ,
					   MAP_SHARED, self->fd[kind], 0));
		EXPECT_EQ(ENODEV, errno);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract that all ioctls have in common: sizes, flags, reserved fields,
 * addresses, the kind of descriptor, and that a failure changes nothing.
 *
 * Every case has exactly one thing wrong with it.
 */
#include <sys/resource.h>

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
	{ STORE, DEFPAGER_IOC_BACKING_STORE_INFO },
	{ STORE, DEFPAGER_IOC_SEGMENT_ADD },
	{ STORE, DEFPAGER_IOC_SEGMENTS },
	{ OBJECT, DEFPAGER_IOC_OBJECT_INFO },
};

static bool known_command(enum kind kind, unsigned long cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].kind == kind && commands[i].cmd == cmd)
			return true;
	return false;
}

/* What a request that fails has to leave as it is. */
struct state {
	struct defpager_info info;
	int nr_fds;
};

static int state_get(int pager, struct state *state)
{
	int ret;

	memset(state, 0, sizeof(*state));
	ret = pager_info(pager, &state->info);
	/* The counters of I/O are nobody's fault. */
	state->info.pages_out = 0;
	state->info.pages_in = 0;
	state->info.writes = 0;
	state->info.reads = 0;
	state->info.zero_pages = 0;
	state->info.clean_drops = 0;
	state->nr_fds = count_fds();
	return ret;
}

FIXTURE(abi)
{
	int fd[NR_KINDS];
	int device;
	uint64_t next_record;
	struct defpager_object_info object_rows[ROWS];
	struct defpager_segment_info segment_rows[ROWS];
	unsigned char *arg;
	unsigned char before[ARG_BYTES];
	struct state state;
};

FIXTURE_VARIANT(abi)
{
	enum kind kind;
	unsigned long cmd;
	uint32_t size;
	uint32_t known_flags;
};

#define ABI_VARIANT(_name, _kind, _cmd, _struct, _flags)		\
	FIXTURE_VARIANT_ADD(abi, _name)					\
	{								\
		.kind = _kind,						\
		.cmd = _cmd,						\
		.size = sizeof(struct _struct),				\
		.known_flags = _flags,					\
	}

ABI_VARIANT(info, PAGER, DEFPAGER_IOC_INFO, defpager_info, 0);
ABI_VARIANT(object_create, PAGER, DEFPAGER_IOC_OBJECT_CREATE,
	    defpager_object_create, DEFPAGER_OBJECT_SEQNO);
ABI_VARIANT(objects, PAGER, DEFPAGER_IOC_OBJECTS, defpager_list, 0);
ABI_VARIANT(backing_store_open, PAGER, DEFPAGER_IOC_BACKING_STORE_OPEN,
	    defpager_backing_store_open, 0);
ABI_VARIANT(backing_store_info, STORE, DEFPAGER_IOC_BACKING_STORE_INFO,
	    defpager_backing_store_info, 0);
ABI_VARIANT(segment_add, STORE, DEFPAGER_IOC_SEGMENT_ADD, defpager_segment_add,
	    0);
ABI_VARIANT(segments, STORE, DEFPAGER_IOC_SEGMENTS, defpager_list, 0);
ABI_VARIANT(object_info, OBJECT, DEFPAGER_IOC_OBJECT_INFO, defpager_object_info,
	    0);

FIXTURE_SETUP(abi)
{
	self->fd[PAGER] = pager_open();
	ASSERT_LE(0, self->fd[PAGER]);
	self->fd[STORE] = store_open(self->fd[PAGER], DEFPAGER_DEFAULT_STORE);
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
	for (int i = 0; i < NR_KINDS; i++)
		close(self->fd[i]);
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
	case DEFPAGER_IOC_SEGMENTS: {
		struct defpager_list *list = arg;
		bool objects = cmd == DEFPAGER_IOC_OBJECTS;

		list->start = 0;
		list->rows = objects ? (uintptr_t)self->object_rows :
				       (uintptr_t)self->segment_rows;
		list->row_size = objects ? sizeof(self->object_rows[0]) :
					   sizeof(self->segment_rows[0]);
		list->count = ROWS;
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
	struct state state;
	int ret;

	memcpy(self->before, self->arg, ARG_BYTES);
	if (state_get(self->fd[PAGER], &self->state))
		return 1;
	ret = defpager_ioctl(fd, cmd, self->arg);
	if (memcmp(self->before, self->arg, ARG_BYTES))
		return 1;
	if (state_get(self->fd[PAGER], &state))
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

TEST_F(abi, shorter_size_fails)
{
	for (uint32_t size = 0; size < variant->size; size++) {
		fill_arg(self, variant);
		set_size(self->arg, size);
		ASSERT_EQ(-EINVAL, fails_cleanly(self, self->fd[variant->kind],
						 variant->cmd))
			TH_LOG("size %u", size);
	}
}

TEST_F(abi, longer_with_zero_tail_succeeds)
{
	static const uint32_t longer[] = { 1, 4, 8, 1000, 4096, 8192 };

	for (size_t i = 0; i < ARRAY_SIZE(longer); i++) {
		fill_arg(self, variant);
		set_size(self->arg, variant->size + longer[i]);
		memset(self->arg + variant->size, 0, longer[i]);
		ASSERT_EQ(0, defpager_ioctl(self->fd[variant->kind],
					    variant->cmd, self->arg))
			TH_LOG("%u bytes longer", longer[i]);
		for (size_t j = 0; j < longer[i]; j++) {
			ASSERT_EQ(0, self->arg[variant->size + j]);
		}
		ASSERT_EQ(POISON, self->arg[variant->size + longer[i]]);
	}
}

TEST_F(abi, longer_with_nonzero_tail_fails)
{
	static const struct {
		uint32_t longer;
		uint32_t at;
	} cases[] = {
		{ 1, 0 }, { 8, 0 }, { 8, 7 }, { 4096, 0 }, { 4096, 4095 },
		{ 8192, 5000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fill_arg(self, variant);
		set_size(self->arg, variant->size + cases[i].longer);
		memset(self->arg + variant->size, 0, cases[i].longer);
		self->arg[variant->size + cases[i].at] = 1;
		ASSERT_EQ(-E2BIG, fails_cleanly(self, self->fd[variant->kind],
						variant->cmd))
			TH_LOG("%u bytes longer, byte %u", cases[i].longer,
			       cases[i].at);
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
	struct state before, after;
	/* How much of the struct lies in front of the hole. */
	const uint32_t accessible[] = { 0, 1, 4, 8, variant->size - 1 };

	ASSERT_EQ(0, mprotect(last, page_size(), PROT_NONE));
	ASSERT_EQ(0, state_get(self->fd[PAGER], &before));
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
	ASSERT_EQ(0, state_get(self->fd[PAGER], &after));
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
	if (_IOC_NR(variant->cmd) == _IOC_NR(DEFPAGER_IOC_OBJECTS) ||
	    _IOC_NR(variant->cmd) == _IOC_NR(DEFPAGER_IOC_SEGMENTS))
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

FIXTURE(field)
{
	int pager;
	struct state before;
};

FIXTURE_SETUP(field)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, state_get(self->pager, &self->before));
}

/* Whatever was made is closed by now, or was never made. */
FIXTURE_TEARDOWN(field)
{
	struct state after;

	EXPECT_EQ(0, state_get(self->pager, &after));
	EXPECT_EQ(0, memcmp(&self->before, &after, sizeof(after)));
	close(self->pager);
}

static int create(int pager, struct defpager_object_create request)
{
	struct defpager_object_create before = request;
	int ret;

	ret = defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &request);
	if (!ret)
		return close(request.fd);
	return memcmp(&before, &request, sizeof(request)) ? 1 : ret;
}

TEST_F(field, info_makes_sense)
{
	struct defpager_info *info = &self->before.info;

	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(0, info->flags);
	EXPECT_EQ(0, info->features);
	EXPECT_EQ(page_size(), info->page_size);
	EXPECT_LE(1, info->nr_stores);
	EXPECT_LT(TIB(1), info->max_object_size);
	EXPECT_GE(INT64_MAX, info->max_object_size);
	EXPECT_EQ(info->total_bytes, info->free_bytes + info->reserved_bytes +
					     info->bad_bytes);
	EXPECT_LE(info->used_bytes, info->reserved_bytes);
	EXPECT_EQ(0, info->total_bytes % info->page_size);
}

TEST_F(field, object_size_is_checked)
{
	uint64_t max = self->before.info.max_object_size;
	const uint64_t bad[] = { 0, max + 1, 1ULL << 63, (1ULL << 63) + 1,
				 UINT64_MAX - 4094, UINT64_MAX };
	const uint64_t good[] = { 1, 2, 4095, 4096, 4097, GIB(4) + 1, max - 1,
				  max };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, create(self->pager, object_request(bad[i])))
			TH_LOG("object_size %#lx", bad[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, create(self->pager, object_request(good[i])))
			TH_LOG("object_size %#lx", good[i]);
	}
}

TEST_F(field, object_seqno_without_its_flag_fails)
{
	struct defpager_object_create request = object_request(1);

	for (int bit = 0; bit < 64; bit++) {
		request.seqno = 1ULL << bit;
		EXPECT_EQ(-EINVAL, create(self->pager, request));
	}
}

TEST_F(field, object_fd_is_ignored_on_input)
{
	const int values[] = { INT_MIN, -2, 0, 1, INT_MAX };
	struct defpager_object_create request = object_request(1);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		request.fd = values[i];
		EXPECT_EQ(0, create(self->pager, request));
	}
}

TEST_F(field, object_backing_store_is_checked)
{
	struct defpager_object_create request = object_request(1);
	int object, file, closed;

	request.backing_store = -2;
	EXPECT_EQ(-EBADF, create(self->pager, request));
	request.backing_store = INT_MIN;
	EXPECT_EQ(-EBADF, create(self->pager, request));
	request.backing_store = INT_MAX;
	EXPECT_EQ(-EBADF, create(self->pager, request));

	closed = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, closed);
	close(closed);
	request.backing_store = closed;
	EXPECT_EQ(-EBADF, create(self->pager, request));

	request.backing_store = self->pager;
	EXPECT_EQ(-EINVAL, create(self->pager, request));

	object = object_create(self->pager, 1);
	ASSERT_LE(0, object);
	request.backing_store = object;
	EXPECT_EQ(-EINVAL, create(self->pager, request));
	close(object);

	file = open("/dev/null", O_RDWR);
	ASSERT_LE(0, file);
	request.backing_store = file;
	EXPECT_EQ(-EINVAL, create(self->pager, request));
	close(file);
}

TEST_F(field, object_name_is_checked)
{
	struct defpager_object_create request = object_request(1);

	for (int c = 1; c < 128; c++) {
		bool bad = c < 32 || c == 127 || c == '/';

		strcpy(request.name, "a?b");
		request.name[1] = c;
		EXPECT_EQ(bad ? -EINVAL : 0, create(self->pager, request))
			TH_LOG("character %d", c);
	}
	strcpy(request.name, "gr\303\266\303\237e \342\202\254");
	EXPECT_EQ(0, create(self->pager, request));

	memset(request.name, 'n', sizeof(request.name));
	EXPECT_EQ(-EINVAL, create(self->pager, request));
	request.name[sizeof(request.name) - 1] = '\0';
	EXPECT_EQ(0, create(self->pager, request));

	for (size_t i = 1; i < sizeof(request.name); i++) {
		memset(request.name, 0, sizeof(request.name));
		request.name[i] = 'n';
		EXPECT_EQ(-EINVAL, create(self->pager, request))
			TH_LOG("byte %zu behind the NUL", i);
	}
}

TEST_F(field, object_is_close_on_exec_and_writable)
{
	int object = object_create(self->pager, 1);

	ASSERT_LE(0, object);
	EXPECT_EQ(FD_CLOEXEC, fcntl(object, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(object, F_GETFL) & O_ACCMODE);
	close(object);
}

/* As open() does: so that "close, then create" has a known result. */
TEST_F(field, new_descriptors_are_the_lowest_free)
{
	int free_fd = dup(self->pager);
	int fd;

	ASSERT_LE(0, free_fd);
	close(free_fd);
	fd = object_create(self->pager, 1);
	EXPECT_EQ(free_fd, fd);
	close(fd);
	fd = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	EXPECT_EQ(free_fd, fd);
	close(fd);
}

TEST_F(field, no_descriptor_left_fails)
{
	struct rlimit limit, none;
	int object, store;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = self->pager + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	object = object_create(self->pager, 1);
	store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, object);
	EXPECT_EQ(-EMFILE, store);
}

static int open_request(int pager, struct defpager_backing_store_open request)
{
	struct defpager_backing_store_open before = request;
	int ret;

	ret = defpager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_OPEN, &request);
	if (!ret)
		return close(request.fd);
	return memcmp(&before, &request, sizeof(request)) ? 1 : ret;
}

static const struct defpager_backing_store_open open_default = {
	.size = sizeof(open_default),
	.fd = -1,
	.name = DEFPAGER_DEFAULT_STORE,
};

TEST_F(field, store_reserved_is_checked)
{
	struct defpager_backing_store_open request = open_default;

	EXPECT_EQ(0, open_request(self->pager, request));
	for (int bit = 0; bit < 32; bit++) {
		request.reserved = 1U << bit;
		EXPECT_EQ(-EINVAL, open_request(self->pager, request));
	}
}

TEST_F(field, store_name_is_checked)
{
	static const char *const unknown[] = {
		"", "d", "defaul", "default2", "Default", " default", "/default",
	};
	struct defpager_backing_store_open request = open_default;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-ENOENT, store_open(self->pager, unknown[i]))
			TH_LOG("'%s'", unknown[i]);
	}

	memset(request.name, 'd', sizeof(request.name));
	EXPECT_EQ(-EINVAL, open_request(self->pager, request));
	request.name[sizeof(request.name) - 1] = '\0';
	EXPECT_EQ(-ENOENT, open_request(self->pager, request));

	for (size_t i = sizeof("default"); i < sizeof(request.name); i++) {
		request = open_default;
		request.name[i] = 'x';
		EXPECT_EQ(-EINVAL, open_request(self->pager, request))
			TH_LOG("byte %zu", i);
	}
}

TEST_F(field, store_is_close_on_exec)
{
	int store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);

	ASSERT_LE(0, store);
	EXPECT_EQ(FD_CLOEXEC, fcntl(store, F_GETFD));
	close(store);
}

TEST_F(field, store_info_makes_sense)
{
	struct defpager_backing_store_info info;
	int store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);

	ASSERT_LE(0, store);
	ASSERT_EQ(0, store_info(store, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_STREQ(DEFPAGER_DEFAULT_STORE, info.name);
	for (size_t i = strlen(info.name); i < sizeof(info.name); i++) {
		EXPECT_EQ(0, info.name[i]);
	}
	EXPECT_LE(page_size(), info.cluster_bytes);
	EXPECT_EQ(0, info.cluster_bytes & (info.cluster_bytes - 1));
	EXPECT_EQ(info.total_bytes, info.free_bytes + info.reserved_bytes +
					    info.bad_bytes);
	close(store);
}

/* Listings, of either kind. */
FIXTURE(list)
{
	int pager;
	int store;
	int objects[3];
	int device;
	int fd;
};

FIXTURE_VARIANT(list)
{
	unsigned long cmd;
	uint32_t row_size;
};

FIXTURE_VARIANT_ADD(list, objects)
{
	.cmd = DEFPAGER_IOC_OBJECTS,
	.row_size = sizeof(struct defpager_object_info),
};

FIXTURE_VARIANT_ADD(list, segments)
{
	.cmd = DEFPAGER_IOC_SEGMENTS,
	.row_size = sizeof(struct defpager_segment_info),
};

FIXTURE_SETUP(list)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	self->device = loop_create(MIB(1), 512, 0);
	ASSERT_LE(0, self->device);
	for (int i = 0; i < 3; i++) {
		self->objects[i] = object_create(self->pager, 1);
		ASSERT_LE(0, self->objects[i]);
		ASSERT_EQ(0, segment_add(self->store, self->device, i, 1, 4096));
	}
	self->fd = variant->cmd == DEFPAGER_IOC_OBJECTS ? self->pager :
							  self->store;
}

FIXTURE_TEARDOWN(list)
{
	for (int i = 0; i < 3; i++)
		close(self->objects[i]);
	close(self->device);
	close(self->store);
	close(self->pager);
}

#define MAX_ROW 4096

static uint64_t row_id(const void *row)
{
	uint64_t id;

	memcpy(&id, row + 8, sizeof(id));
	return id;
}

static uint32_t row_valid(const void *row)
{
	uint32_t valid;

	memcpy(&valid, row, sizeof(valid));
	return valid;
}

TEST_F(list, row_size_is_checked)
{
	const uint32_t bad[] = { 0, 1, variant->row_size - 1, MAX_ROW + 1,
				 UINT32_MAX };
	unsigned char rows[2 * MAX_ROW], before[2 * MAX_ROW];

	memset(rows, POISON, sizeof(rows));
	memset(before, POISON, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct defpager_list list = {
			.size = sizeof(list),
			.rows = (uintptr_t)rows,
			.row_size = bad[i],
			.count = 1,
		}, copy = list;

		EXPECT_EQ(-EINVAL, defpager_ioctl(self->fd, variant->cmd, &list));
		EXPECT_EQ(0, memcmp(&copy, &list, sizeof(list)));
		EXPECT_EQ(0, memcmp(rows, before, sizeof(rows)));
	}
}

TEST_F(list, longer_rows_are_cleared_at_their_end)
{
	const uint32_t sizes[] = { variant->row_size, variant->row_size + 1,
				   variant->row_size + 8, MAX_ROW };
	unsigned char rows[2 * MAX_ROW];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(rows, POISON, sizeof(rows));
		ASSERT_EQ(1, list_rows(self->fd, variant->cmd,
				       &(uint64_t){ 0 }, rows, sizes[i], 1));
		EXPECT_EQ(variant->row_size, row_valid(rows));
		for (uint32_t j = variant->row_size; j < sizes[i]; j++) {
			ASSERT_EQ(0, rows[j]);
		}
		for (uint32_t j = sizes[i]; j < sizeof(rows); j++) {
			ASSERT_EQ(POISON, rows[j]);
		}
	}
}

TEST_F(list, ids_ascend_and_start_goes_on)
{
	unsigned char row[MAX_ROW];
	uint64_t start = 0, last = 0;
	int rows = 0, ret;

	while ((ret = list_rows(self->fd, variant->cmd, &start, row,
				variant->row_size, 1)) == 1) {
		if (rows++) {
			ASSERT_LT(last, row_id(row));
		}
		last = row_id(row);
		ASSERT_EQ(last + 1, start);
	}
	ASSERT_EQ(0, ret);
	EXPECT_LE(3, rows);
	EXPECT_EQ(last + 1, start);
}

TEST_F(list, no_room_returns_no_row)
{
	uint64_t start = 0;

	EXPECT_EQ(0, list_rows(self->fd, variant->cmd, &start, NULL,
			       variant->row_size, 0));
	EXPECT_EQ(0, start);
}

TEST_F(list, start_beyond_the_last_returns_no_row)
{
	unsigned char row[MAX_ROW];
	uint64_t start = UINT64_MAX;

	EXPECT_EQ(0, list_rows(self->fd, variant->cmd, &start, row,
			       variant->row_size, 1));
	EXPECT_EQ(UINT64_MAX, start);
}

/* The array may be declared larger than anybody could allocate. */
TEST_F(list, large_count_is_fine)
{
	unsigned char rows[256 * 1024];
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = (uintptr_t)rows,
		.row_size = variant->row_size,
		.count = UINT32_MAX,
	};

	ASSERT_EQ(0, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_LE(3, list.count);
	EXPECT_GT(UINT32_MAX, list.count);
}

TEST_F(list, inaccessible_rows_fail)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = 8,
		.row_size = variant->row_size,
		.count = 1,
	}, before = list;

	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_EQ(0, memcmp(&before, &list, sizeof(list)));
	list.rows = before.rows = UINT64_MAX - 7;
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_EQ(0, memcmp(&before, &list, sizeof(list)));
}

/* Not the kernel's memory either. */
TEST_F(list, kernel_address_fails)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = 0xffff888000000000,
		.row_size = variant->row_size,
		.count = 1,
	};

	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
}

TEST_HARNESS_MAIN

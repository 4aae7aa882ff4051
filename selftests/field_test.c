// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fields of each request: what is accepted, what is refused, and what the
 * answers have to say. Listings have list_test.
 *
 * Every case has exactly one thing wrong with it, and fails with one errno.
 */
#include <sys/resource.h>

#include "defpager_utils.h"
#include <kselftest_harness.h>

FIXTURE(field)
{
	int pager;
	struct pager_state before;
};

FIXTURE_SETUP(field)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_state(self->pager, &self->before));
}

/* Whatever was made is closed by now, or was never made. */
FIXTURE_TEARDOWN(field)
{
	struct pager_state after;

	EXPECT_EQ(0, pager_state(self->pager, &after));
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

TEST_HARNESS_MAIN

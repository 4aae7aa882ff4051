// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fields of requests that make, change and end backing stores: what is
 * accepted, and what is refused.
 *
 * Every case has exactly one thing wrong with it, and fails with one errno.
 */
#include <sys/resource.h>

#include "defpager_utils.h"
#include <kselftest_harness.h>

FIXTURE(field)
{
	int pager;
	int store;
	int device;
	uint64_t segment;	/* the store has it */
	uint64_t other;		/* that of another store */
	struct pager_state before;
};

static int add_page(int store, int device, uint64_t page, uint64_t *id)
{
	struct defpager_segment_add add = segment_range(device, page, 1, 4096);
	int ret = defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add);

	*id = add.id;
	return ret;
}

FIXTURE_SETUP(field)
{
	int other;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_create(self->pager, "field", 0, 0, 0);
	ASSERT_LE(0, self->store);
	other = store_create(self->pager, "other", 0, 0, 0);
	ASSERT_LE(0, other);
	self->device = loop_create(MIB(1), 512, 0);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, add_page(self->store, self->device, 0, &self->segment));
	ASSERT_EQ(0, add_page(other, self->device, 1, &self->other));
	close(other);
	ASSERT_EQ(0, pager_state(self->pager, &self->before));
}

/* Whatever was made is gone by now, or was never made. */
FIXTURE_TEARDOWN(field)
{
	struct pager_state after;

	EXPECT_EQ(0, pager_state(self->pager, &after));
	EXPECT_EQ(0, memcmp(&self->before, &after, sizeof(after)));
	EXPECT_EQ(0, stores_delete_all(self->pager));
	close(self->device);
	close(self->store);
	close(self->pager);
}

/* Makes a request; 1 if it failed but wrote something. */
static int request(int fd, unsigned long cmd, void *arg, size_t size)
{
	char before[512];
	int ret;

	memcpy(before, arg, size);
	ret = defpager_ioctl(fd, cmd, arg);
	return ret && memcmp(before, arg, size) ? 1 : ret;
}

/* Creates a store and deletes it again. */
static int create(int pager, struct defpager_backing_store_create arg)
{
	int ret = request(pager, DEFPAGER_IOC_BACKING_STORE_CREATE, &arg,
			  sizeof(arg));

	if (!ret) {
		ret = store_delete(arg.fd, -1);
		close(arg.fd);
	}
	return ret;
}

TEST_F(field, create_name_is_checked)
{
	static const char *const bad[] = { "", ".", "..", "/", "a/b", "/a" };
	static const char *const good[] = { "...", ".a", "a.", " ", "-", "\\",
					    "gr\303\266\303\237e" };
	struct defpager_backing_store_create arg = store_request("", 0, 0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = store_request(bad[i], 0, 0, 0);
		EXPECT_EQ(-EINVAL, create(self->pager, arg))
			TH_LOG("'%s'", bad[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		arg = store_request(good[i], 0, 0, 0);
		EXPECT_EQ(0, create(self->pager, arg))
			TH_LOG("'%s'", good[i]);
	}
	for (int c = 1; c < 128; c++) {
		arg = store_request("a?b", 0, 0, 0);
		arg.name[1] = c;
		EXPECT_EQ(c < 32 || c == 127 || c == '/' ? -EINVAL : 0,
			  create(self->pager, arg))
			TH_LOG("character %d", c);
	}
}

TEST_F(field, create_name_ends_in_the_array)
{
	struct defpager_backing_store_create arg = store_request("", 0, 0, 0);

	memset(arg.name, 'n', sizeof(arg.name));
	EXPECT_EQ(-EINVAL, create(self->pager, arg));
	arg.name[sizeof(arg.name) - 1] = '\0';
	EXPECT_EQ(0, create(self->pager, arg));
	for (size_t i = 2; i < sizeof(arg.name); i++) {
		arg = store_request("n", 0, 0, 0);
		arg.name[i] = 'n';
		EXPECT_EQ(-EINVAL, create(self->pager, arg))
			TH_LOG("byte %zu", i);
	}
}

TEST_F(field, create_cluster_size_is_checked)
{
	const uint32_t bad[] = { 1, 512, page_size() / 2, page_size() - 1,
				 page_size() + 1, 3 * page_size(),
				 DEFPAGER_MAX_CLUSTER_SIZE - page_size(),
				 DEFPAGER_MAX_CLUSTER_SIZE + page_size(),
				 2 * DEFPAGER_MAX_CLUSTER_SIZE, 1U << 31,
				 UINT32_MAX };
	struct defpager_backing_store_info info;
	uint32_t bytes;
	int store;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, create(self->pager, store_request("new", 0,
								     bad[i], 0)))
			TH_LOG("%u bytes", bad[i]);
	}
	for (bytes = page_size(); bytes <= DEFPAGER_MAX_CLUSTER_SIZE; bytes *= 2) {
		store = store_create(self->pager, "new", 0, bytes, 0);
		ASSERT_LE(0, store);
		ASSERT_EQ(0, store_info(store, &info));
		EXPECT_EQ(bytes, info.cluster_bytes);
		ASSERT_EQ(0, store_delete(store, -1));
		close(store);
	}
	store = store_create(self->pager, "new", 0, 0, 0);
	ASSERT_LE(0, store);
	ASSERT_EQ(0, store_info(store, &info));
	EXPECT_EQ(DEFPAGER_DEFAULT_CLUSTER_SIZE, info.cluster_bytes);
	ASSERT_EQ(0, store_delete(store, -1));
	close(store);
}

TEST_F(field, create_takes_any_priority)
{
	static const int priorities[] = { INT_MIN, -1, 0, 1, 127, INT_MAX };
	struct defpager_backing_store_info info;
	int store;

	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		store = store_create(self->pager, "new", priorities[i], 0, 0);
		ASSERT_LE(0, store);
		ASSERT_EQ(0, store_info(store, &info));
		EXPECT_EQ(priorities[i], info.priority);
		ASSERT_EQ(0, store_delete(store, -1));
		close(store);
	}
}

TEST_F(field, create_reserved_is_checked)
{
	struct defpager_backing_store_create arg = store_request("new", 0, 0, 0);

	for (int bit = 0; bit < 32; bit++) {
		arg.reserved = 1U << bit;
		EXPECT_EQ(-EINVAL, create(self->pager, arg));
	}
}

TEST_F(field, create_fd_is_ignored_on_input)
{
	static const int values[] = { INT_MIN, -2, 0, 1, INT_MAX };
	struct defpager_backing_store_create arg = store_request("new", 0, 0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		arg.fd = values[i];
		EXPECT_EQ(0, create(self->pager, arg));
	}
}

/* The name is the only thing that two stores may not have in common. */
TEST_F(field, create_with_a_name_in_use_fails)
{
	static const char *const used[] = { "field", "other", "default" };

	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		EXPECT_EQ(-EEXIST, create(self->pager,
					  store_request(used[i], 0, 0, 0)));
		EXPECT_EQ(-EEXIST, create(self->pager,
					  store_request(used[i], 7, 4096,
						DEFPAGER_STORE_EXCLUSIVE)));
	}
	EXPECT_EQ(0, create(self->pager, store_request("Default", 0, 0, 0)));
	EXPECT_EQ(0, create(self->pager, store_request("fiel", 0, 0, 0)));
	EXPECT_EQ(0, create(self->pager, store_request("field2", 0, 0, 0)));
}

TEST_F(field, new_store_is_empty_and_as_was_asked_for)
{
	const uint32_t flags = DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD;
	struct defpager_backing_store_info info;
	int store;

	for (uint32_t i = 0; i <= flags; i++) {
		store = store_create(self->pager, "new", 0, 0, i);
		ASSERT_LE(0, store);
		EXPECT_EQ(FD_CLOEXEC, fcntl(store, F_GETFD));
		ASSERT_EQ(0, store_info(store, &info));
		EXPECT_EQ(sizeof(info), info.size);
		EXPECT_EQ(i, info.flags);
		EXPECT_NE(0, info.id);
		EXPECT_STREQ("new", info.name);
		EXPECT_EQ(0, info.nr_segments);
		EXPECT_EQ(0, info.nr_objects);
		EXPECT_EQ(0, info.total_bytes);
		EXPECT_EQ(0, info.free_bytes);
		EXPECT_EQ(0, info.reserved_bytes);
		EXPECT_EQ(0, info.confined_bytes);
		EXPECT_EQ(0, info.used_bytes);
		EXPECT_EQ(0, info.bad_bytes);
		ASSERT_EQ(0, store_delete(store, -1));
		close(store);
	}
}

/* And no store is left behind that nobody was told of. */
TEST_F(field, create_without_a_descriptor_left_fails)
{
	struct rlimit limit, none;
	int store;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = self->pager + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	store = store_create(self->pager, "new", 0, 0, 0);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, store);
	EXPECT_EQ(-ENOENT, store_open(self->pager, "new"));
}

static int removal(FIXTURE_DATA(field) *self, struct defpager_segment_remove arg)
{
	return request(self->store, DEFPAGER_IOC_SEGMENT_REMOVE, &arg,
		       sizeof(arg));
}

TEST_F(field, remove_reserved_is_checked)
{
	struct defpager_segment_remove arg = segment_removal(self->segment, -1);

	for (int bit = 0; bit < 32; bit++) {
		arg.reserved = 1U << bit;
		EXPECT_EQ(-EINVAL, removal(self, arg));
	}
}

TEST_F(field, remove_of_an_unknown_segment_fails)
{
	const uint64_t unknown[] = {
		0, self->segment + 1000, self->segment + (1ULL << 32),
		UINT32_MAX, UINT64_MAX,
		/* It is there, but elsewhere. */
		self->other,
	};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-ENOENT, removal(self, segment_removal(unknown[i], -1)))
			TH_LOG("id %ju", (uintmax_t)unknown[i]);
	}
}

static int deletion(FIXTURE_DATA(field) *self,
		    struct defpager_backing_store_delete arg)
{
	return request(self->store, DEFPAGER_IOC_BACKING_STORE_DELETE, &arg,
		       sizeof(arg));
}

static struct defpager_backing_store_delete delete_to(int target)
{
	return (struct defpager_backing_store_delete) {
		.size = sizeof(struct defpager_backing_store_delete),
		.target = target,
		.error_object = 0x4711,
	};
}

TEST_F(field, delete_reserved_is_checked)
{
	struct defpager_backing_store_delete arg = delete_to(-1);

	for (int bit = 0; bit < 32; bit++) {
		arg.reserved = 1U << bit;
		EXPECT_EQ(-EINVAL, deletion(self, arg));
	}
}

static void expect_bad_target(struct __test_metadata *_metadata,
			      FIXTURE_DATA(field) *self, int target, int error)
{
	EXPECT_EQ(error, removal(self, segment_removal(self->segment, target)));
	EXPECT_EQ(error, deletion(self, delete_to(target)));
}

TEST_F(field, target_is_checked)
{
	static const int bad[] = { -2, INT_MIN, INT_MAX };
	int same, closed, object, file;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_bad_target(_metadata, self, bad[i], -EBADF);
	closed = dup(self->store);
	close(closed);
	expect_bad_target(_metadata, self, closed, -EBADF);

	expect_bad_target(_metadata, self, self->pager, -EINVAL);
	object = object_create(self->pager, 1);
	ASSERT_LE(0, object);
	expect_bad_target(_metadata, self, object, -EINVAL);
	close(object);
	file = open("/dev/null", O_RDWR);
	ASSERT_LE(0, file);
	expect_bad_target(_metadata, self, file, -EINVAL);
	close(file);

	/* Its own store, under this descriptor or another one. */
	expect_bad_target(_metadata, self, self->store, -EINVAL);
	same = store_open(self->pager, "field");
	ASSERT_LE(0, same);
	expect_bad_target(_metadata, self, same, -EINVAL);
	close(same);
}

static int alert(FIXTURE_DATA(field) *self,
		 struct defpager_backing_store_alert arg)
{
	return request(self->store, DEFPAGER_IOC_BACKING_STORE_ALERT, &arg,
		       sizeof(arg));
}

TEST_F(field, alert_fields_are_checked)
{
	struct defpager_backing_store_alert arg = { .size = sizeof(arg) };

	for (int bit = 0; bit < 32; bit++) {
		arg.reserved = 1U << bit;
		EXPECT_EQ(-EINVAL, alert(self, arg));
	}
	arg.reserved = 0;
	arg.low_bytes = 1;
	EXPECT_EQ(-EINVAL, alert(self, arg));
	arg.low_bytes = UINT64_MAX;
	arg.high_bytes = UINT64_MAX - 1;
	EXPECT_EQ(-EINVAL, alert(self, arg));
	arg.high_bytes = UINT64_MAX;
	EXPECT_EQ(0, alert(self, arg));
	arg.low_bytes = 0;
	EXPECT_EQ(0, alert(self, arg));
	arg.fired = UINT32_MAX;
	arg.free_bytes = UINT64_MAX;
	EXPECT_EQ(0, alert(self, arg));
}

TEST_HARNESS_MAIN

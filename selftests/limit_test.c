// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of what one object, and one user, may be promised of a store: where
 * exactly they are, by each way of taking space, who is charged, and what gives
 * room again. limit_race_test.c has many who take and give at a time.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "limit_utils.h"
#include "store_utils.h"
#include <kselftest_harness.h>

#define NOBODY	65534
#define LIMIT	16		/* pages, of most limits */

/* --- the request ---------------------------------------------------------- */

FIXTURE(request)
{
	int pager;
	int store;
};

FIXTURE_SETUP(request)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = private_store(self->pager, pages(SPACE));
	ASSERT_LE(0, self->store);
}

FIXTURE_TEARDOWN(request)
{
	EXPECT_EQ(0, private_store_delete(self->store));
	close(self->pager);
}

static void expect_limits(struct __test_metadata *_metadata, int store,
			  uint64_t object, uint64_t user)
{
	struct defpager_backing_store_info info;
	struct defpager_backing_store_limit limit;

	ASSERT_EQ(0, store_info(store, &info));
	EXPECT_EQ(object, info.object_limit_bytes);
	EXPECT_EQ(user, info.user_limit_bytes);
	ASSERT_EQ(0, store_limit(store, 0, 0, 0, &limit));
	EXPECT_EQ(object, limit.old_object_bytes);
	EXPECT_EQ(user, limit.old_user_bytes);
}

TEST_F(request, sets_what_the_flags_say)
{
	struct defpager_backing_store_limit limit;

	expect_limits(_metadata, self->store, 0, 0);
	ASSERT_EQ(0, store_limit(self->store, DEFPAGER_LIMIT_OBJECT |
				 DEFPAGER_LIMIT_USER, pages(3), pages(5),
				 &limit));
	EXPECT_EQ(0, limit.old_object_bytes);
	EXPECT_EQ(0, limit.old_user_bytes);
	expect_limits(_metadata, self->store, pages(3), pages(5));
	ASSERT_EQ(0, store_limit(self->store, DEFPAGER_LIMIT_OBJECT, pages(4),
				 0, &limit));
	EXPECT_EQ(pages(3), limit.old_object_bytes);
	EXPECT_EQ(pages(5), limit.old_user_bytes);
	expect_limits(_metadata, self->store, pages(4), pages(5));
	ASSERT_EQ(0, store_limit(self->store, DEFPAGER_LIMIT_USER, 0, pages(6),
				 NULL));
	expect_limits(_metadata, self->store, pages(4), pages(6));
	ASSERT_EQ(0, store_limit(self->store, DEFPAGER_LIMIT_OBJECT |
				 DEFPAGER_LIMIT_USER, 0, 0, NULL));
	expect_limits(_metadata, self->store, 0, 0);
}

TEST_F(request, rounds_down_to_pages)
{
	ASSERT_EQ(0, store_limit(self->store, DEFPAGER_LIMIT_OBJECT |
				 DEFPAGER_LIMIT_USER, pages(4) - 1,
				 UINT64_MAX, NULL));
	expect_limits(_metadata, self->store, pages(3), -pages(1));
}

TEST_F(request, refuses_what_has_no_meaning)
{
	const uint32_t both = DEFPAGER_LIMIT_OBJECT | DEFPAGER_LIMIT_USER;
	struct defpager_backing_store_limit limit;

	ASSERT_EQ(0, store_limit(self->store, both, pages(3), pages(5), NULL));
	EXPECT_EQ(-EINVAL, store_limit(self->store, both, 1, pages(7), &limit));
	EXPECT_EQ(-EINVAL, store_limit(self->store, both, pages(7),
				       page_size() - 1, &limit));
	EXPECT_EQ(-EINVAL, store_limit(self->store, DEFPAGER_LIMIT_USER,
				       pages(7), pages(7), &limit));
	EXPECT_EQ(-EINVAL, store_limit(self->store, DEFPAGER_LIMIT_OBJECT,
				       pages(7), pages(7), &limit));
	EXPECT_EQ(-EINVAL, store_limit(self->store, 0, 0, 1, &limit));
	expect_limits(_metadata, self->store, pages(3), pages(5));
}

TEST_F(request, knows_that_the_store_is_gone)
{
	int store = private_store(self->pager, pages(SPACE));

	ASSERT_LE(0, store);
	ASSERT_EQ(0, store_delete(store, -1));
	EXPECT_EQ(-ENODEV, store_limit(store, DEFPAGER_LIMIT_USER, 0, pages(1),
				       NULL));
	EXPECT_EQ(-ENODEV, store_limit(store, 0, 0, 0, NULL));
	close(store);
}

/* --- where the limits are ------------------------------------------------- */

FIXTURE(limit)
{
	int pager;
	int store;		/* whose limits hold */
	int where;		/* for object_create_with() */
};

/* Objects of the pager are limited by the store that always exists. */
FIXTURE_VARIANT(limit)
{
	bool pooled;
};

FIXTURE_VARIANT_ADD(limit, confined)
{
	.pooled = false,
};

FIXTURE_VARIANT_ADD(limit, pooled)
{
	.pooled = true,
};

FIXTURE_SETUP(limit)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	if (variant->pooled) {
		ASSERT_EQ(0, pager_need_space(self->pager, pages(SPACE)));
		self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
		self->where = -1;
	} else {
		self->store = private_store(self->pager, pages(SPACE));
		self->where = self->store;
	}
	ASSERT_LE(0, self->store);
}

FIXTURE_TEARDOWN(limit)
{
	limit_object(self->store, 0);
	limit_user(self->store, 0);
	if (variant->pooled)
		close(self->store);
	else
		EXPECT_EQ(0, private_store_delete(self->store));
	close(self->pager);
}

static int new_object(FIXTURE_DATA(limit) *self, uint64_t nr)
{
	int fd = object_create_with(self->pager, self->where, pages(nr), 0);

	must(fd >= 0);
	return fd;
}

TEST_F(limit, of_an_object_by_write)
{
	int fd = new_object(self, 64), other = new_object(self, 64);
	char *buffer = calloc(1, pages(32));

	limit_object(self->store, pages(LIMIT));
	/* What fits is written, and told. */
	EXPECT_EQ(pages(LIMIT), pwrite(fd, buffer, pages(32), 0));
	EXPECT_EQ(-1, pwrite(fd, buffer, 1, pages(LIMIT)));
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_EQ(pages(LIMIT), object_reserved(fd));
	/* Nor is memory taken by what was refused. */
	EXPECT_EQ(pages(LIMIT), object_resident(fd));
	/* What is there can be written again, and read. */
	EXPECT_EQ(pages(LIMIT), pwrite(fd, buffer, pages(LIMIT), 0));
	EXPECT_EQ(pages(32), pread(fd, buffer, pages(32), 0));
	/* Another one has a limit of its own. */
	EXPECT_EQ(LIMIT, write_until_limit(other, 64));
	free(buffer);
	close(other);
	close(fd);
}

TEST_F(limit, of_an_object_by_fault)
{
	struct memory memory = memory_create_in(self->pager, self->where,
						pages(64));

	limit_object(self->store, pages(LIMIT));
	for (uint64_t page = 0; page < LIMIT; page++)
		EXPECT_TRUE(store_byte(memory_page(&memory, page), 'a'));
	EXPECT_FALSE(store_byte(memory_page(&memory, LIMIT), 'b'));
	EXPECT_EQ(-1, madvise(memory_page(&memory, LIMIT), page_size(),
			      MADV_POPULATE_WRITE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(pages(LIMIT), object_reserved(memory.fd));
	EXPECT_EQ(pages(LIMIT), object_resident(memory.fd));
	EXPECT_TRUE(store_byte(memory_page(&memory, LIMIT - 1), 'c'));
	/* The same page of the same mapping, with a higher limit. */
	limit_object(self->store, pages(LIMIT + 1));
	EXPECT_TRUE(store_byte(memory_page(&memory, LIMIT), 'd'));
	EXPECT_FALSE(store_byte(memory_page(&memory, LIMIT + 1), 'e'));
	for (uint64_t page = 0; page <= LIMIT; page++)
		EXPECT_EQ(page < LIMIT - 1 ? 'a' : page < LIMIT ? 'c' : 'd',
			  *memory_page(&memory, page));
	memory_destroy(&memory);
}

TEST_F(limit, of_an_object_by_fallocate)
{
	uint64_t free = store_free(self->store);
	int fd = new_object(self, 64);

	limit_object(self->store, pages(LIMIT));
	EXPECT_EQ(EDQUOT, reserve(fd, 0, LIMIT + 1));
	EXPECT_EQ(EDQUOT, reserve(fd, 0, 64));
	EXPECT_EQ(0, object_reserved(fd));
	EXPECT_EQ(free, store_free(self->store));
	EXPECT_EQ(0, reserve(fd, 1, LIMIT));
	EXPECT_EQ(EDQUOT, reserve(fd, 0, 2));
	/* Only what has no space yet counts. */
	EXPECT_EQ(0, reserve(fd, 1, LIMIT));
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_ZERO_RANGE, pages(1),
			       pages(LIMIT)));
	EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_ZERO_RANGE, pages(0), pages(2)));
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_EQ(pages(LIMIT), object_reserved(fd));
	EXPECT_EQ(free - pages(LIMIT), store_free(self->store));
	EXPECT_EQ(0, write_page(fd, LIMIT));
	EXPECT_EQ(EDQUOT, write_page(fd, LIMIT + 1));
	close(fd);
}

TEST_F(limit, of_an_object_at_creation)
{
	struct pager_state before, after;
	int fd;

	/* It is whole pages that count. */
	limit_object(self->store, pages(LIMIT + 1) - 1);
	ASSERT_EQ(0, pager_state(self->pager, &before));
	EXPECT_EQ(-EDQUOT, object_create_with(self->pager, self->where,
					      pages(LIMIT) + 1,
					      DEFPAGER_OBJECT_RESERVE));
	ASSERT_EQ(0, pager_state(self->pager, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	fd = object_create_with(self->pager, self->where, pages(LIMIT) - 1,
				DEFPAGER_OBJECT_RESERVE);
	ASSERT_LE(0, fd);
	EXPECT_EQ(pages(LIMIT), object_reserved(fd));
	close(fd);
}

/* Those are promised nothing. */
TEST_F(limit, does_not_concern_resident_objects)
{
	int fd;

	if (!variant->pooled)
		return;
	limit_object(self->store, pages(1));
	limit_user(self->store, pages(1));
	fd = object_create_with(self->pager, -1, pages(LIMIT),
				DEFPAGER_OBJECT_RESIDENT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(LIMIT, write_until_limit(fd, LIMIT));
	EXPECT_EQ(0, fchown(fd, NOBODY, -1));
	close(fd);
	EXPECT_TRUE(is_charged(self->pager, self->store, self->where, 0));
}

static int write_own_object(void *arg)
{
	FIXTURE_DATA(limit) *self = arg;

	return write_until_limit(new_object(self, 64), 64);
}

TEST_F(limit, of_a_user_with_several_objects_and_processes)
{
	int first = new_object(self, 64), second = new_object(self, 64);

	limit_user(self->store, pages(3 * LIMIT));
	EXPECT_EQ(0, reserve(first, 0, LIMIT));
	EXPECT_EQ(0, reserve(second, 0, LIMIT));
	/* What the process had it gives back when it ends. */
	EXPECT_EQ(LIMIT, in_child(write_own_object, self));
	EXPECT_TRUE(wait_until(!reserve(first, LIMIT, LIMIT)));
	EXPECT_EQ(0, in_child(write_own_object, self));
	EXPECT_EQ(EDQUOT, write_page(first, 2 * LIMIT));
	EXPECT_EQ(EDQUOT, write_page(second, LIMIT));
	EXPECT_EQ(EDQUOT, reserve(second, LIMIT, 1));
	EXPECT_EQ(-EDQUOT, object_create_with(self->pager, self->where, 1,
					      DEFPAGER_OBJECT_RESERVE));
	close(second);
	close(first);
}

struct other_user {
	FIXTURE_DATA(limit) *self;
	int fd;			/* an object of the first user */
};

static int be_another_user(void *arg)
{
	struct other_user *other = arg;
	int fd;

	must(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	     !setresuid(NOBODY, NOBODY, NOBODY));
	fd = new_object(other->self, 64);
	/* All of his limit is his. */
	if (write_until_limit(fd, 64) != LIMIT)
		return 1;
	/* But the object of somebody else does not count as his. */
	if (write_page(other->fd, 0) || write_page(other->fd, LIMIT) != EDQUOT)
		return 2;
	if (punch(fd, 0, 1) || write_page(other->fd, LIMIT) != EDQUOT)
		return 3;
	return write_page(fd, 0) || write_page(fd, LIMIT) != EDQUOT;
}

TEST_F(limit, of_one_user_is_not_that_of_another)
{
	struct other_user other = { self, new_object(self, 64) };

	limit_user(self->store, pages(LIMIT));
	EXPECT_EQ(LIMIT, write_until_limit(other.fd, 64));
	EXPECT_EQ(0, in_child(be_another_user, &other));
	close(other.fd);
}

static int give_without_capability(void *arg)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	must(!syscall(SYS_capget, &header, data));
	data[CAP_SYS_RESOURCE / 32].effective &=
		~(1U << CAP_SYS_RESOURCE % 32);
	must(!syscall(SYS_capset, &header, data));
	return fchown(*(int *)arg, NOBODY, -1) ? errno : 0;
}

/* Or the limit would be as large as there are ids which one may give to. */
TEST_F(limit, is_not_escaped_by_giving)
{
	int fd = new_object(self, 64), other = new_object(self, 64);

	EXPECT_EQ(0, reserve(fd, 0, LIMIT));
	limit_user(self->store, pages(LIMIT));
	EXPECT_EQ(0, in_child(give_without_capability, &fd));
	EXPECT_EQ(0, reserve(other, 0, 1));
	EXPECT_EQ(EDQUOT, in_child(give_without_capability, &other));
	/* He is still charged for what he could not give. */
	EXPECT_EQ(0, reserve(other, 1, LIMIT - 1));
	EXPECT_EQ(EDQUOT, write_page(other, LIMIT));
	close(other);
	close(fd);
}

/* Who is given an object is charged for it, by root whatever his limit. */
TEST_F(limit, follows_the_owner)
{
	int fd = new_object(self, 64), other = new_object(self, 64);

	EXPECT_EQ(0, reserve(fd, 0, 2 * LIMIT));
	EXPECT_EQ(0, reserve(other, 0, 3));
	limit_user(self->store, pages(LIMIT));
	EXPECT_EQ(EDQUOT, write_page(other, 3));
	ASSERT_EQ(0, fchown(fd, NOBODY, -1));
	EXPECT_EQ(EDQUOT, write_page(fd, 2 * LIMIT));
	EXPECT_EQ(0, write_page(other, 3));
	EXPECT_TRUE(is_charged(self->pager, self->store, self->where, 4));
	/* The group is none of the limit's business. */
	ASSERT_EQ(0, fchown(fd, -1, NOBODY));
	EXPECT_TRUE(is_charged(self->pager, self->store, self->where, 4));
	ASSERT_EQ(0, fchown(fd, 0, -1));
	EXPECT_TRUE(is_charged(self->pager, self->store, self->where,
			       4 + 2 * LIMIT));
	close(other);
	close(fd);
}

TEST_F(limit, gives_room_when_space_is_freed)
{
	int fd = new_object(self, 64), other = new_object(self, 64);

	limit_user(self->store, pages(LIMIT));
	EXPECT_EQ(LIMIT, write_until_limit(fd, 64));
	EXPECT_EQ(EDQUOT, write_page(other, 0));
	ASSERT_EQ(0, punch(fd, 3, 1));
	EXPECT_EQ(0, write_page(other, 0));
	EXPECT_EQ(EDQUOT, write_page(fd, 3));
	/* On storage as in memory. */
	ASSERT_TRUE(object_out(fd, 0, 0));
	EXPECT_EQ(EDQUOT, write_page(fd, 3));
	ASSERT_EQ(0, ftruncate(fd, pages(LIMIT - 2)));
	EXPECT_EQ(0, reserve(other, 1, 2));
	EXPECT_EQ(EDQUOT, reserve(other, 1, 3));
	close(fd);
	EXPECT_TRUE(wait_until(!reserve(other, 0, LIMIT)));
	EXPECT_EQ(EDQUOT, write_page(other, LIMIT));
	limit_user(self->store, pages(LIMIT + 1));
	EXPECT_EQ(0, write_page(other, LIMIT));
	EXPECT_EQ(EDQUOT, write_page(other, LIMIT + 1));
	close(other);
}

TEST_F(limit, below_what_is_used_takes_nothing_away)
{
	struct memory memory = memory_create_in(self->pager, self->where,
						pages(64));

	fill(&memory, 0, 2 * LIMIT, 1);
	limit_object(self->store, pages(LIMIT));
	limit_user(self->store, pages(LIMIT));
	ASSERT_TRUE(object_out(memory.fd, 0, 0));
	EXPECT_EQ(pages(2 * LIMIT), object_stored(memory.fd));
	EXPECT_TRUE(verify(&memory, 0, 2 * LIMIT, 1));
	fill(&memory, 0, 2 * LIMIT, 2);
	ASSERT_TRUE(object_out(memory.fd, 0, 0));
	EXPECT_TRUE(verify(&memory, 0, 2 * LIMIT, 2));
	EXPECT_EQ(EDQUOT, write_page(memory.fd, 2 * LIMIT));
	EXPECT_EQ(0, reserve(memory.fd, 0, 2 * LIMIT));
	/* Room is below the limit, not where it was when it was lowered. */
	ASSERT_EQ(0, punch(memory.fd, LIMIT, LIMIT));
	EXPECT_EQ(EDQUOT, write_page(memory.fd, LIMIT));
	ASSERT_EQ(0, punch(memory.fd, LIMIT - 1, 1));
	EXPECT_EQ(0, write_page(memory.fd, LIMIT));
	EXPECT_TRUE(verify(&memory, 0, LIMIT - 1, 2));
	memory_destroy(&memory);
}

TEST(pooled_and_confined_count_apart)
{
	int pager = pager_open(), store, confined, pooled;

	ASSERT_LE(0, pager);
	ASSERT_EQ(0, pager_need_space(pager, pages(SPACE)));
	store = store_open(pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, store);
	limit_user(store, pages(LIMIT));
	confined = object_create_with(pager, store, pages(64), 0);
	pooled = object_create_with(pager, -1, pages(64), 0);
	ASSERT_LE(0, confined);
	ASSERT_LE(0, pooled);
	EXPECT_EQ(LIMIT, write_until_limit(confined, 64));
	EXPECT_EQ(LIMIT, write_until_limit(pooled, 64));
	ASSERT_EQ(0, punch(confined, 0, 1));
	EXPECT_EQ(EDQUOT, write_page(pooled, LIMIT));
	EXPECT_EQ(0, write_page(confined, LIMIT));
	limit_user(store, 0);
	close(pooled);
	close(confined);
	/* The next test begins with a store that is in nobody's use. */
	EXPECT_TRUE(wait_until(has_no_object(store)));
	close(store);
	close(pager);
}

/* --- other homes ---------------------------------------------------------- */

FIXTURE(move)
{
	int pager;
	int from;
	int to;
};

FIXTURE_SETUP(move)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->from = private_store(self->pager, pages(SPACE));
	ASSERT_LE(0, self->from);
	self->to = private_store(self->pager, pages(SPACE));
	ASSERT_LE(0, self->to);
}

FIXTURE_TEARDOWN(move)
{
	EXPECT_EQ(0, private_store_delete(self->to));
	if (self->from >= 0)
		EXPECT_EQ(0, private_store_delete(self->from));
	close(self->pager);
}

static uint64_t first_segment(int store)
{
	struct defpager_segment_info row = { .id = 0 };

	must(list_rows(store, DEFPAGER_IOC_SEGMENTS, &(uint64_t){ 0 }, &row,
		       sizeof(row), 1) == 1);
	return row.id;
}

/* An object with some pages in memory, on storage and only reserved. */
static int mixed_object(FIXTURE_DATA(move) *self, int store)
{
	int fd = object_create_with(self->pager, store, pages(64), 0);

	must(fd >= 0);
	for (int page = 0; page < 20; page++)
		must(!write_page(fd, page));
	must(object_out(fd, 0, pages(12)));
	must(!reserve(fd, 20, 4));
	return fd;
}

TEST_F(move, takes_the_charge_along)
{
	int fd = mixed_object(self, self->from);
	int there = mixed_object(self, self->to);

	limit_user(self->from, pages(24));
	/* The limit is not asked, nor that of one object. */
	limit_user(self->to, pages(30));
	limit_object(self->to, pages(23));
	ASSERT_EQ(0, segment_remove(self->from, first_segment(self->from),
				    self->to));
	EXPECT_EQ(pages(24), object_reserved(fd));
	EXPECT_EQ(EDQUOT, write_page(fd, 24));
	EXPECT_EQ(EDQUOT, write_page(there, 24));
	limit_object(self->to, 0);
	EXPECT_EQ(EDQUOT, write_page(fd, 24));
	ASSERT_EQ(0, punch(fd, 0, 18));
	EXPECT_EQ(EDQUOT, write_page(fd, 24));
	ASSERT_EQ(0, punch(there, 0, 1));
	EXPECT_EQ(0, write_page(fd, 24));
	EXPECT_EQ(EDQUOT, write_page(fd, 25));
	EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 30));
	/* And nothing is left where it came from. */
	ASSERT_EQ(0, store_grow(self->from, pages(SPACE)));
	EXPECT_TRUE(is_charged(self->pager, self->from, self->from, 0));
	close(there);
	close(fd);
}

TEST_F(move, back_again)
{
	int fd = mixed_object(self, self->from);

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, segment_remove(self->from,
					    first_segment(self->from),
					    self->to));
		ASSERT_EQ(0, store_grow(self->from, pages(SPACE)));
		EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 24));
		ASSERT_EQ(0, segment_remove(self->to, first_segment(self->to),
					    self->from));
		ASSERT_EQ(0, store_grow(self->to, pages(SPACE)));
		EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 0));
		EXPECT_TRUE(is_charged(self->pager, self->from, self->from,
				       24));
	}
	close(fd);
}

TEST_F(move, of_all_when_a_store_is_deleted)
{
	int first = mixed_object(self, self->from);
	int second = mixed_object(self, self->from);

	ASSERT_EQ(0, fchown(second, NOBODY, -1));
	limit_user(self->to, pages(1));
	ASSERT_EQ(0, store_delete(self->from, self->to));
	close(self->from);
	self->from = -1;
	EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 24));
	ASSERT_EQ(0, fchown(second, 0, -1));
	EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 48));
	close(second);
	close(first);
	EXPECT_TRUE(wait_until(has_no_object(self->to)));
	EXPECT_TRUE(is_charged(self->pager, self->to, self->to, 0));
}

/* Of the target's space only a part has ever been given out by then. */
TEST_F(move, of_more_than_the_target_has_ever_given)
{
	int fd;

	ASSERT_EQ(0, store_grow(self->from, MIB(512)));
	ASSERT_EQ(0, store_grow(self->to, MIB(512)));
	fd = object_create_with(self->pager, self->from, MIB(300),
				DEFPAGER_OBJECT_RESERVE);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, store_delete(self->from, self->to));
	close(self->from);
	self->from = -1;
	EXPECT_EQ(MIB(300), object_reserved(fd));
	EXPECT_EQ(MIB(212) + pages(SPACE), store_free(self->to));
	close(fd);
}

TEST_HARNESS_MAIN

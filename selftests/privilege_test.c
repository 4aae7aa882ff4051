// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what: descriptors are capabilities, and only what takes a device
 * or hands out or changes a backing store needs CAP_SYS_ADMIN.
 */
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "defpager_utils.h"
#include <kselftest_harness.h>

#define NOBODY 65534

FIXTURE(privilege)
{
	int pager;
	int store;
	int object;
	int device;
	int read_only;
	int own_store;		/* not the default one */
	uint64_t segment;	/* of that */
};

/* How to be without CAP_SYS_ADMIN; 0 if it worked. */
FIXTURE_VARIANT(privilege)
{
	int (*drop)(void);
};

static int become_nobody(void)
{
	return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

static int set_caps(uint64_t caps)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	return syscall(SYS_capset, &header, data);
}

/* All but this one, as root. */
static int drop_sys_admin(void)
{
	uint64_t caps = 0;

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (cap != CAP_SYS_ADMIN)
			caps |= 1ULL << cap;
	return set_caps(caps);
}

/* It has all capabilities, but not where it counts. */
static int become_root_of_a_namespace(void)
{
	return become_nobody() || unshare(CLONE_NEWUSER);
}

FIXTURE_VARIANT_ADD(privilege, nobody)
{
	.drop = become_nobody,
};

FIXTURE_VARIANT_ADD(privilege, root_without_sys_admin)
{
	.drop = drop_sys_admin,
};

FIXTURE_VARIANT_ADD(privilege, root_of_a_user_namespace)
{
	.drop = become_root_of_a_namespace,
};

FIXTURE_SETUP(privilege)
{
	struct defpager_segment_add add;
	char path[64];

	if (geteuid())
		SKIP(_exit(KSFT_SKIPPED), "needs root, to become less than that");
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(1)));
	self->object = object_create(self->pager, MIB(1));
	ASSERT_LE(0, self->object);
	self->device = loop_create(MIB(1), 512, 0);
	ASSERT_LE(0, self->device);
	self->own_store = store_create(self->pager, "privilege", 0, 0, 0);
	ASSERT_LE(0, self->own_store);
	add = segment_range(self->device, 64, 8, 4096);
	ASSERT_EQ(0, defpager_ioctl(self->own_store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	self->segment = add.id;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->object);
	self->read_only = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->read_only);
}

FIXTURE_TEARDOWN(privilege)
{
	close(self->read_only);
	close(self->device);
	close(self->object);
	EXPECT_EQ(0, stores_delete_all(self->pager));
	close(self->own_store);
	close(self->store);
	close(self->pager);
}

struct attempt {
	FIXTURE_DATA(privilege) *self;
	int (*drop)(void);
	int (*act)(FIXTURE_DATA(privilege) *self);
};

#define DROP_FAILED 250

static int attempt_in_child(void *arg)
{
	struct attempt *attempt = arg;
	int ret;

	if (attempt->drop())
		return DROP_FAILED;
	ret = attempt->act(attempt->self);
	return ret < 0 ? -ret : 0;
}

/* What becomes of it without the privilege: 0 or a positive errno. */
static int attempt(FIXTURE_DATA(privilege) *self,
		   const FIXTURE_VARIANT(privilege) *variant,
		   int (*act)(FIXTURE_DATA(privilege) *self))
{
	struct attempt attempt = { self, variant->drop, act };

	return in_child(attempt_in_child, &attempt);
}

static int open_store(FIXTURE_DATA(privilege) *self)
{
	return store_open(self->pager, DEFPAGER_DEFAULT_STORE);
}

static int open_unknown_store(FIXTURE_DATA(privilege) *self)
{
	return store_open(self->pager, "unknown");
}

static int add_segment(FIXTURE_DATA(privilege) *self)
{
	return segment_add(self->store, self->device, 0, 8, 4096);
}

TEST_F(privilege, store_open_needs_sys_admin)
{
	EXPECT_EQ(EPERM, attempt(self, variant, open_store));
	/* Nor does it tell which stores there are. */
	EXPECT_EQ(EPERM, attempt(self, variant, open_unknown_store));
}

TEST_F(privilege, segment_add_needs_sys_admin)
{
	struct defpager_info before, after;

	ASSERT_EQ(0, pager_info(self->pager, &before));
	EXPECT_EQ(EPERM, attempt(self, variant, add_segment));
	ASSERT_EQ(0, pager_info(self->pager, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, add_segment(self));
}

static int create_store(FIXTURE_DATA(privilege) *self)
{
	return store_create(self->pager, "new", 0, 0, 0);
}

static int create_existing_store(FIXTURE_DATA(privilege) *self)
{
	return store_create(self->pager, DEFPAGER_DEFAULT_STORE, 0, 0, 0);
}

static int remove_segment(FIXTURE_DATA(privilege) *self)
{
	return segment_remove(self->own_store, self->segment, -1);
}

static int remove_unknown_segment(FIXTURE_DATA(privilege) *self)
{
	return segment_remove(self->own_store, 0, -1);
}

static int delete_store(FIXTURE_DATA(privilege) *self)
{
	return store_delete(self->own_store, -1);
}

static int delete_store_to_another(FIXTURE_DATA(privilege) *self)
{
	return store_delete(self->own_store, self->store);
}

static int arm_alert(FIXTURE_DATA(privilege) *self)
{
	struct defpager_backing_store_alert alert = {
		.size = sizeof(alert),
		.flags = DEFPAGER_ALERT_LOW,
		.low_bytes = UINT64_MAX,
		.high_bytes = UINT64_MAX,
	};

	return defpager_ioctl(self->own_store, DEFPAGER_IOC_BACKING_STORE_ALERT,
			      &alert);
}

static int set_limit(FIXTURE_DATA(privilege) *self)
{
	return store_limit(self->own_store, DEFPAGER_LIMIT_USER, 0, MIB(1),
			   NULL);
}

/* Whatever changes a store, tells of others, or is told to everybody. */
TEST_F(privilege, holder_of_a_store_cannot_change_it)
{
	struct defpager_info before, after;

	ASSERT_EQ(0, pager_info(self->pager, &before));
	EXPECT_EQ(EPERM, attempt(self, variant, create_store));
	EXPECT_EQ(EPERM, attempt(self, variant, create_existing_store));
	EXPECT_EQ(EPERM, attempt(self, variant, remove_segment));
	EXPECT_EQ(EPERM, attempt(self, variant, remove_unknown_segment));
	EXPECT_EQ(EPERM, attempt(self, variant, delete_store));
	EXPECT_EQ(EPERM, attempt(self, variant, delete_store_to_another));
	EXPECT_EQ(EPERM, attempt(self, variant, arm_alert));
	EXPECT_EQ(EPERM, attempt(self, variant, set_limit));
	ASSERT_EQ(0, pager_info(self->pager, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	/* All of that is fine for who may. */
	EXPECT_EQ(0, arm_alert(self));
	EXPECT_EQ(0, set_limit(self));
	EXPECT_EQ(0, remove_segment(self));
	EXPECT_EQ(0, delete_store(self));
}

static int create_object(FIXTURE_DATA(privilege) *self)
{
	return object_create(self->pager, MIB(1));
}

static int create_confined_object(FIXTURE_DATA(privilege) *self)
{
	struct defpager_object_create request = object_request(1);

	request.backing_store = self->store;
	return defpager_ioctl(self->pager, DEFPAGER_IOC_OBJECT_CREATE, &request);
}

static int use_object(FIXTURE_DATA(privilege) *self)
{
	char byte;

	if (pwrite(self->object, "x", 1, 5) != 1 ||
	    pread(self->object, &byte, 1, 5) != 1 || byte != 'x')
		return -EIO;
	return 0;
}

static int get_pager_info(FIXTURE_DATA(privilege) *self)
{
	struct defpager_info info;

	return pager_info(self->pager, &info);
}

static int get_store_info(FIXTURE_DATA(privilege) *self)
{
	struct defpager_backing_store_info info;

	return store_info(self->store, &info);
}

static int get_object_info(FIXTURE_DATA(privilege) *self)
{
	struct defpager_object_info info;

	return object_info(self->object, &info);
}

static int list_objects(FIXTURE_DATA(privilege) *self)
{
	struct defpager_object_info row;

	return list_rows(self->pager, DEFPAGER_IOC_OBJECTS, &(uint64_t){ 0 },
			 &row, sizeof(row), 1);
}

static int list_segments(FIXTURE_DATA(privilege) *self)
{
	struct defpager_segment_info row;

	return list_rows(self->store, DEFPAGER_IOC_SEGMENTS, &(uint64_t){ 0 },
			 &row, sizeof(row), 1);
}

static int list_stores(FIXTURE_DATA(privilege) *self)
{
	struct defpager_backing_store_info row;

	return list_rows(self->pager, DEFPAGER_IOC_BACKING_STORES,
			 &(uint64_t){ 0 }, &row, sizeof(row), 1);
}

static int list_pages(FIXTURE_DATA(privilege) *self)
{
	struct defpager_page_range row;

	return list_rows(self->object, DEFPAGER_IOC_OBJECT_PAGES,
			 &(uint64_t){ 0 }, &row, sizeof(row), 1);
}

static int poll_store(FIXTURE_DATA(privilege) *self)
{
	struct pollfd poll_fd = { .fd = self->store, .events = POLLPRI };

	return poll(&poll_fd, 1, 0) ? -EIO : 0;
}

/* A descriptor that was handed over is all that is needed. */
TEST_F(privilege, holder_of_descriptors_needs_none)
{
	EXPECT_EQ(0, attempt(self, variant, create_object));
	EXPECT_EQ(0, attempt(self, variant, create_confined_object));
	EXPECT_EQ(0, attempt(self, variant, use_object));
	EXPECT_EQ(0, attempt(self, variant, get_pager_info));
	EXPECT_EQ(0, attempt(self, variant, get_store_info));
	EXPECT_EQ(0, attempt(self, variant, get_object_info));
	EXPECT_EQ(0, attempt(self, variant, list_objects));
	EXPECT_EQ(0, attempt(self, variant, list_segments));
	EXPECT_EQ(0, attempt(self, variant, list_stores));
	EXPECT_EQ(0, attempt(self, variant, list_pages));
	EXPECT_EQ(0, attempt(self, variant, poll_store));
}

FIXTURE(permission)
{
	FIXTURE_DATA(privilege) p;
};

FIXTURE_SETUP(permission)
{
	privilege_setup(_metadata, &self->p, NULL);
}

FIXTURE_TEARDOWN(permission)
{
	privilege_teardown(_metadata, &self->p, NULL);
}

static const FIXTURE_VARIANT(privilege) as_nobody = { .drop = become_nobody };

/* The other way around: nobody, but with this one capability. */
static int keep_only_sys_admin(void)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_nobody() ||
	       set_caps(1ULL << CAP_SYS_ADMIN);
}

TEST_F(permission, sys_admin_is_enough_for_stores)
{
	static const FIXTURE_VARIANT(privilege) as_admin = {
		.drop = keep_only_sys_admin,
	};

	EXPECT_EQ(0, attempt(&self->p, &as_admin, open_store));
	EXPECT_EQ(0, attempt(&self->p, &as_admin, add_segment));
	EXPECT_EQ(0, attempt(&self->p, &as_admin, create_store));
	EXPECT_EQ(0, attempt(&self->p, &as_admin, arm_alert));
	EXPECT_EQ(0, attempt(&self->p, &as_admin, remove_segment));
	EXPECT_EQ(0, attempt(&self->p, &as_admin, delete_store));
}

static int open_pager(FIXTURE_DATA(privilege) *self)
{
	(void)self;
	return pager_open();
}

/* A group may be given the device node; all the world may not have it. */
TEST_F(permission, device_node_is_not_for_all)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->p.pager, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0, st.st_mode & 0007);
	EXPECT_EQ(EACCES, attempt(&self->p, &as_nobody, open_pager));
}

static int reopen(int fd, int mode)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, mode | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

static int reopen_for_writing(FIXTURE_DATA(privilege) *self)
{
	return reopen(self->read_only, O_RDWR);
}

static int reopen_of_read_only(FIXTURE_DATA(privilege) *self)
{
	return reopen(self->read_only, O_RDONLY);
}

/* Who was given an object to read only must not be able to write to it. */
TEST_F(permission, stranger_cannot_gain_write_access)
{
	EXPECT_EQ(EACCES, attempt(&self->p, &as_nobody, reopen_for_writing));
	EXPECT_EQ(EACCES, attempt(&self->p, &as_nobody, reopen_of_read_only));
	EXPECT_EQ(0, reopen_for_writing(&self->p) < 0);
}

TEST_F(permission, read_only_descriptor_cannot_change_the_object)
{
	int fd = self->p.read_only;

	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0));
	EXPECT_EQ(EACCES, errno);
}

static int create_and_check_owner(FIXTURE_DATA(privilege) *self)
{
	struct defpager_object_info info;
	int object = object_create(self->pager, 1);
	struct stat st;

	if (object < 0)
		return object;
	if (object_info(object, &info) || fstat(object, &st))
		return -EIO;
	if (info.owner != getuid() || st.st_uid != getuid())
		return -EUCLEAN;
	/* It is its creator's to re-open. */
	return reopen(object, O_RDWR) < 0 ? -EACCES : 0;
}

TEST_F(permission, creator_owns_the_object)
{
	EXPECT_EQ(0, create_and_check_owner(&self->p));
	EXPECT_EQ(0, attempt(&self->p, &as_nobody, create_and_check_owner));
}

static int owner_is_nobody(FIXTURE_DATA(privilege) *self)
{
	struct defpager_object_info info;

	/* Root of outside has no name in here. */
	return object_info(self->object, &info) || info.owner != NOBODY ?
		       -EUCLEAN : 0;
}

TEST_F(permission, owner_is_told_in_the_namespace_of_the_caller)
{
	static const FIXTURE_VARIANT(privilege) in_namespace = {
		.drop = become_root_of_a_namespace,
	};

	EXPECT_EQ(0, attempt(&self->p, &in_namespace, owner_is_nobody));
}

TEST_HARNESS_MAIN

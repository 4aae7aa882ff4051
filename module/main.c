// SPDX-License-Identifier: GPL-2.0-only
/*
 * defpager: a default pager.
 *
 * Loading and unloading; the rest is where defpager.h says.
 */
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "defpager.h"

DEFINE_PER_CPU(struct defpager_counters, defpager_counters);

u64 defpager_counter_sum(enum defpager_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(defpager_counters, cpu).value[counter];
	return sum;
}

/* A group may be given the node: objects need no privilege, segments do. */
static struct miscdevice defpager_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "defpager",
	.mode	= 0660,
	.fops	= &defpager_fops,
	.groups	= defpager_groups,
};

/* What events concerning the pager as a whole are sent from. */
struct kobject *defpager_kobj(void)
{
	return &defpager_device.this_device->kobj;
}

static int __init defpager_register(void)
{
	int ret;

	/* Who opens it at once gets no store before that has its directory. */
	mutex_lock(&defpager_stores_lock);
	ret = misc_register(&defpager_device);
	if (!ret)
		defpager_sysfs_init();
	mutex_unlock(&defpager_stores_lock);
	return ret;
}

static int __init defpager_init(void)
{
	int ret;

	ret = defpager_map_init_cache();
	if (ret)
		return ret;
	ret = defpager_bounces_init();
	if (ret)
		goto err_map;
	ret = defpager_bio_init();
	if (ret)
		goto err_bounces;
	ret = defpager_pageout_init();
	if (ret)
		goto err_bio;
	ret = defpager_objects_init();
	if (ret)
		goto err_pageout;
	ret = defpager_stores_init();
	if (ret)
		goto err_objects;
	ret = defpager_register();
	if (ret)
		goto err_stores;
	return 0;

err_stores:
	defpager_stores_exit();
err_objects:
	defpager_objects_exit();
err_pageout:
	defpager_pageout_exit();
err_bio:
	defpager_bio_exit();
err_bounces:
	defpager_bounces_exit();
err_map:
	defpager_map_exit_cache();
	return ret;
}

/* Not called while there is a descriptor or a mapping of ours. */
static void __exit defpager_exit(void)
{
	defpager_sysfs_exit();
	misc_deregister(&defpager_device);
	defpager_objects_exit();
	/* Failing ones have work to do, in a queue of those below. */
	defpager_segments_exit();
	defpager_pageout_exit();
	defpager_bio_exit();
	/* Discards, which have ended now, could have asked for it. */
	defpager_alerts_exit();
	defpager_stores_exit();
	defpager_bounces_exit();
	defpager_map_exit_cache();
}

module_init(defpager_init);
module_exit(defpager_exit);

MODULE_AUTHOR("The defpager authors");
MODULE_DESCRIPTION("Default pager: anonymous shareable memory objects paged to block device segments");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.2.0");

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of stores that begin with none but the one that always exists, and end
 * with everything given back. Include it after the harness.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

FIXTURE(store)
{
	struct stores s;
};

FIXTURE_SETUP(store)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	ASSERT_EQ(0, totals(self->s.pager).total_bytes);
}

FIXTURE_TEARDOWN(store)
{
	struct defpager_info info;

	EXPECT_EQ(0, stores_clear(&self->s));
	info = totals(self->s.pager);
	EXPECT_EQ(1, info.nr_stores);
	EXPECT_EQ(0, info.nr_segments);
	EXPECT_EQ(0, info.total_bytes);
	EXPECT_EQ(0, info.free_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	stores_close(&self->s);
}

#endif /* STORE_FIXTURE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* What bio.c and bio_error.c share. */
#ifndef DEFPAGER_BIO_H
#define DEFPAGER_BIO_H

#include <linux/bio.h>
#include <linux/workqueue.h>

#include "defpager.h"

struct defpager_bio {
	struct defpager_segment *segment;
	u64 slot;			/* of the first folio */
	pgoff_t index;			/* likewise */
	unsigned long object;		/* likewise: inode number */
	unsigned int pages;
	struct work_struct work;	/* when it has failed, or was read */
	struct bio bio;			/* last: its vectors follow */
};

static inline struct defpager_bio *defpager_bio_of(struct bio *bio)
{
	return container_of(bio, struct defpager_bio, bio);
}

/* In bio.c */
void defpager_io_count(struct defpager_segment *segment, blk_opf_t opf,
		       unsigned int pages);
void defpager_bio_done(struct bio *bio);
struct folio *defpager_bio_folio(struct bio *bio, struct folio *folio);

/* In bio_error.c */
void defpager_bio_failed(struct bio *bio);
void defpager_read_again(struct folio *folio, u64 slot, int ret);
int __init defpager_bio_error_init(void);
void defpager_bio_error_exit(void);

#endif /* DEFPAGER_BIO_H */

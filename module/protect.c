// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of a store that concern what is in its slots: checksums, by which
 * one sees that a device returns something else than it was given, and
 * encryption.
 *
 * A page may be changed while it is being written, since others may have it
 * mapped.  What is on storage does not match its checksum then, and no harm is
 * done: the page is dirty again, so that it is written before anybody reads
 * that slot.  Encryption writes a copy, a bounce page, whose private field
 * tells the folio it is of.  The checksum is of the page, not of the copy.
 *
 * So it tells as well whether a page that nobody has marked is the same as its
 * slot: there are writers who leave no mark.
 *
 * Each page is one unit of XTS.  Its tweak is the object's nonce and the index
 * of the page, so that equal pages look different, and each slot of a page that
 * moves about in the store looks the same.
 */
#include <crypto/hash.h>
#include <crypto/skcipher.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>

#include "defpager.h"

/* Two keys of 256 bits: XTS has one for the tweak. */
#define DEFPAGER_KEY_SIZE	64
#define DEFPAGER_TWEAK_SIZE	16

/* What page-out can count on when there is no memory. */
#define DEFPAGER_BOUNCES	64
#define DEFPAGER_REQUESTS	4

static mempool_t *defpager_bounces;

/* --- checksums ------------------------------------------------------------ */

/*
 * What is used for the first time is tested by the kernel, for which it waits a
 * minute: a machine may be so busy that this does not suffice.
 */
static bool defpager_crypto_is_slow(int error)
{
	return error == -ETIMEDOUT && !fatal_signal_pending(current);
}

static int defpager_sum_init(struct defpager_store *store)
{
	struct crypto_shash *sum;

	do {
		sum = crypto_alloc_shash("crc32c", 0, 0);
	} while (defpager_crypto_is_slow(PTR_ERR_OR_ZERO(sum)));
	if (IS_ERR(sum))
		return PTR_ERR(sum) == -ENOENT ? -EOPNOTSUPP : PTR_ERR(sum);
	store->sum = sum;
	return 0;
}

static u32 defpager_sum(struct defpager_store *store, struct folio *folio)
{
	SHASH_DESC_ON_STACK(desc, store->sum);
	__le32 sum = 0;
	void *addr;

	desc->tfm = store->sum;
	addr = kmap_local_folio(folio, 0);
	/* It only computes. */
	WARN_ON_ONCE(crypto_shash_digest(desc, addr, PAGE_SIZE, (u8 *)&sum));
	kunmap_local(addr);
	return le32_to_cpu(sum);
}

/* Is a page what was written, as far as a checksum tells? */
static bool defpager_sum_fits(struct defpager_store *store, struct folio *folio)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);

	return !store->sum ||
	       defpager_sum(store, folio) ==
	       defpager_map_sum(&object->map, folio->index);
}

/* --- encryption ----------------------------------------------------------- */

static int defpager_cipher_key(struct crypto_skcipher *cipher)
{
	u8 key[DEFPAGER_KEY_SIZE];
	int ret;

	/* XTS wants two keys that differ, and these do. */
	ret = get_random_bytes_wait(key, sizeof(key));
	if (!ret)
		ret = crypto_skcipher_setkey(cipher, key, sizeof(key));
	memzero_explicit(key, sizeof(key));
	return ret;
}

static int defpager_cipher_init(struct defpager_store *store)
{
	struct crypto_skcipher *cipher;
	int ret;

	/* Not one that needs memory to page out. */
	do {
		cipher = crypto_alloc_skcipher("xts(aes)", 0,
					       CRYPTO_ALG_ALLOCATES_MEMORY);
	} while (defpager_crypto_is_slow(PTR_ERR_OR_ZERO(cipher)));
	if (IS_ERR(cipher))
		return PTR_ERR(cipher) == -ENOENT ? -EOPNOTSUPP :
						    PTR_ERR(cipher);
	ret = defpager_cipher_key(cipher);
	if (ret)
		goto err_cipher;
	store->requests = mempool_create_kmalloc_pool(DEFPAGER_REQUESTS,
				sizeof(struct skcipher_request) +
				crypto_skcipher_reqsize(cipher));
	if (!store->requests) {
		ret = -ENOMEM;
		goto err_cipher;
	}
	store->cipher = cipher;
	return 0;

err_cipher:
	crypto_free_skcipher(cipher);
	return ret;
}

/* Context: sleeps, but needs no memory that is not set aside. */
static int defpager_crypt(struct defpager_store *store, struct folio *folio,
			  struct page *from, struct page *to, bool encrypt)
{
	__le64 tweak[DEFPAGER_TWEAK_SIZE / sizeof(__le64)] = {
		cpu_to_le64(defpager_object(folio->mapping->host)->nonce),
		cpu_to_le64(folio->index),
	};
	struct skcipher_request *request;
	struct scatterlist src, dst;
	DECLARE_CRYPTO_WAIT(wait);
	int ret;

	request = mempool_alloc(store->requests, GFP_NOIO);
	sg_init_table(&src, 1);
	sg_set_page(&src, from, PAGE_SIZE, 0);
	sg_init_table(&dst, 1);
	sg_set_page(&dst, to, PAGE_SIZE, 0);
	skcipher_request_set_tfm(request, store->cipher);
	skcipher_request_set_callback(request, CRYPTO_TFM_REQ_MAY_BACKLOG |
				      CRYPTO_TFM_REQ_MAY_SLEEP,
				      crypto_req_done, &wait);
	skcipher_request_set_crypt(request, &src, &dst, PAGE_SIZE, tweak);
	ret = crypto_wait_req(encrypt ? crypto_skcipher_encrypt(request) :
					crypto_skcipher_decrypt(request),
			      &wait);
	mempool_free(request, store->requests);
	return ret;
}

static struct page *defpager_encrypt(struct defpager_store *store,
				     struct folio *folio, gfp_t gfp)
{
	struct page *bounce = mempool_alloc(defpager_bounces, gfp);
	int ret;

	if (!bounce)
		return ERR_PTR(-ENOMEM);
	ret = defpager_crypt(store, folio, folio_page(folio, 0), bounce, true);
	if (ret) {
		mempool_free(bounce, defpager_bounces);
		return ERR_PTR(ret);
	}
	set_page_private(bounce, (unsigned long)folio);
	return bounce;
}

void defpager_bounce_free(struct page *page)
{
	set_page_private(page, 0);
	mempool_free(page, defpager_bounces);
}

/* --- both ----------------------------------------------------------------- */

/**
 * defpager_protect() - make what is to be written for a page
 * @store: the store it goes to
 * @folio: a folio of one page, that its map entry belongs to
 * @gfp: how to get a bounce page: GFP_NOWAIT, or GFP_NOIO if nothing that has
 *	some waits to be submitted by the caller
 *
 * Return: the page, which is the folio's or, if the store encrypts, a bounce
 *	page; -ENOMEM, only with GFP_NOWAIT; or another error.
 */
struct page *defpager_protect(struct defpager_store *store, struct folio *folio,
			      gfp_t gfp)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	struct page *page = folio_page(folio, 0);

	VM_WARN_ON_ONCE_FOLIO(folio_test_large(folio), folio);
	if (store->cipher)
		page = defpager_encrypt(store, folio, gfp);
	if (!IS_ERR(page) && store->sum)
		defpager_map_set_sum(&object->map, folio->index,
				     defpager_sum(store, folio));
	return page;
}

/**
 * defpager_unprotect() - make a page of what was read
 * @store: the store it was read from
 * @folio: a folio of one page, locked
 *
 * Context: sleeps.
 * Return: 0; -EBADMSG if it is not what was written; or another error.
 */
int defpager_unprotect(struct defpager_store *store, struct folio *folio)
{
	struct page *page = folio_page(folio, 0);
	int ret = 0;

	if (store->cipher)
		ret = defpager_crypt(store, folio, page, page, false);
	if (!ret && !defpager_sum_fits(store, folio))
		ret = -EBADMSG;
	return ret;
}

/**
 * defpager_differs() - is a page other than what its map entry says it is?
 * @segment: that of its slot, or NULL if it has none
 * @folio: a folio of one page that is locked, uptodate and not marked, and that
 *	nobody can write to any more
 *
 * Context: does not sleep.
 * Return: true if that is known: what it goes to keeps checksums, or it stays in
 *	memory.
 */
bool defpager_differs(struct defpager_segment *segment, struct folio *folio)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	struct defpager_store *home;
	bool known;

	if (segment)
		return !defpager_sum_fits(segment->store, folio);
	rcu_read_lock();
	home = rcu_dereference(object->store);
	known = (home && home->sum) || defpager_object_resident(object);
	rcu_read_unlock();
	return known && !defpager_folio_zero(folio);
}

int defpager_protect_init(struct defpager_store *store)
{
	int ret = 0;

	if (store->flags & DEFPAGER_STORE_CHECKSUM)
		ret = defpager_sum_init(store);
	if (!ret && defpager_encrypts(store))
		ret = defpager_cipher_init(store);
	if (ret)
		defpager_protect_exit(store);
	return ret;
}

void defpager_protect_exit(struct defpager_store *store)
{
	if (store->sum)
		crypto_free_shash(store->sum);
	/* Wipes the key. */
	if (store->cipher)
		crypto_free_skcipher(store->cipher);
	mempool_destroy(store->requests);
}

int __init defpager_bounces_init(void)
{
	defpager_bounces = mempool_create_page_pool(DEFPAGER_BOUNCES, 0);
	return defpager_bounces ? 0 : -ENOMEM;
}

void defpager_bounces_exit(void)
{
	mempool_destroy(defpager_bounces);
}

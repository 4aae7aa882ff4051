// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plug-in of QEMU's that counts the instructions which the guest executes,
 * by address, between the two no-ops of bench_workload's profiled phase.
 *
 *   qemu-system-x86_64 -plugin profile_plugin.so,out=FILE
 *
 * In the end, FILE has a line "COUNT ADDRESS" for each block of code that ran.
 * What runs is not slowed down on the guest's clock, which counts its
 * instructions: the profile is of the very run that is measured without it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The part of QEMU's plug-in interface that is used. Its header is in no
 * package of Debian 12; the interface is documented in docs/devel/tcg-plugins.
 */
#define EXPORT __attribute__((visibility("default")))
#define QEMU_PLUGIN_CB_NO_REGS 0

struct qemu_plugin_tb;
struct qemu_plugin_insn;

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
	void (*callback)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
	void (*callback)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*callback)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id,
	void (*callback)(uint64_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc,
			       char **argv);

/* Code is translated more than once, so that blocks overlap; each counts. */
struct block {
	struct block *next;
	uint64_t address;
	uint64_t instructions;
	uint64_t executed;
};

#define NR_BUCKETS (1 << 16)

/* One virtual processor, hence one thread: nothing is locked. */
static struct block *buckets[NR_BUCKETS];
static bool counting;
static const char *out;

/* nopl DISPLACEMENT(%rax); see profile_begin() in bench_workload.c. */
static const unsigned char begin_code[] = {
	0x0f, 0x1f, 0x80, 0x01, 0xd0, 0xba, 0x5e
};
static const unsigned char end_code[] = {
	0x0f, 0x1f, 0x80, 0x02, 0xd0, 0xba, 0x5e
};

static struct block *find_block(uint64_t address, uint64_t instructions)
{
	struct block **bucket = &buckets[(address ^ address >> 16) % NR_BUCKETS];
	struct block *block;

	for (block = *bucket; block; block = block->next) {
		if (block->address == address &&
		    block->instructions == instructions)
			return block;
	}
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->address = address;
	block->instructions = instructions;
	block->next = *bucket;
	*bucket = block;
	return block;
}

static void block_runs(unsigned int cpu, void *data)
{
	struct block *block = data;

	(void)cpu;
	if (counting)
		block->executed++;
}

static void marker_runs(unsigned int cpu, void *data)
{
	(void)cpu;
	counting = data == begin_code;
}

static void find_marker(struct qemu_plugin_insn *insn,
			const unsigned char code[sizeof(begin_code)])
{
	if (qemu_plugin_insn_size(insn) == sizeof(begin_code) &&
	    memcmp(qemu_plugin_insn_data(insn), code, sizeof(begin_code)) == 0)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, marker_runs,
			QEMU_PLUGIN_CB_NO_REGS, (void *)code);
}

static void code_is_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < count; i++) {
		find_marker(qemu_plugin_tb_get_insn(tb, i), begin_code);
		find_marker(qemu_plugin_tb_get_insn(tb, i), end_code);
	}
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs,
		QEMU_PLUGIN_CB_NO_REGS,
		find_block(qemu_plugin_tb_vaddr(tb), count));
}

static void write_profile(uint64_t id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file) {
		perror(out);
		return;
	}
	for (size_t i = 0; i < NR_BUCKETS; i++) {
		for (struct block *block = buckets[i]; block; block = block->next) {
			if (block->executed)
				fprintf(file, "%llu %016llx\n",
					(unsigned long long)(block->executed *
							     block->instructions),
					(unsigned long long)block->address);
		}
	}
	fclose(file);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
		fputs("profile_plugin: wants out=FILE\n", stderr);
		return -1;
	}
	out = strdup(argv[0] + 4);
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, code_is_translated);
	qemu_plugin_register_atexit_cb(id, write_profile, NULL);
	return 0;
}

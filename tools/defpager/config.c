// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "store_request.h"

/* Where the parser is.  Nothing is freed: the program ends soon after. */
struct parser {
	const char *path;
	unsigned int line;
	struct config *config;
	/* The section it is in: one of these, or none to begin with. */
	struct config_store *store;
	struct config_segment *segment;
	bool unknown;		/* or one that there is not */
	unsigned int seen;	/* settings of the section, by their index */
	bool failed;
};

/* FILE:LINE: TEXT, allocated. */
static char *at_line(const struct parser *parser, const char *text)
{
	char *result;

	if (asprintf(&result, "%s:%u: %s", parser->path, parser->line, text) < 0)
		die_no_memory();
	return result;
}

static void wrong(struct parser *parser, const char *subject, const char *text)
{
	complain("%s:%u: %s: %s", parser->path, parser->line, subject, text);
	parser->failed = true;
}

static char *copy(const char *text)
{
	char *result = strdup(text);

	if (!result)
		die_no_memory();
	return result;
}

/* --- settings --- */

static bool parse_switch(const char *name, const char *text, bool *on)
{
	*on = !strcmp(text, "yes");
	if (*on || !strcmp(text, "no"))
		return true;
	complain("%s %s: must be \"yes\" or \"no\"", name, text);
	return false;
}

static bool set_cluster_size(struct parser *parser, const char *name,
			     const char *text)
{
	return parse_cluster_size(name, text,
				  &parser->store->create.cluster_bytes);
}

static bool set_priority(struct parser *parser, const char *name,
			 const char *text)
{
	return parse_priority(name, text, &parser->store->create.priority);
}

static bool set_object_limit(struct parser *parser, const char *name,
			     const char *text)
{
	parser->store->limit.flags |= DEFPAGER_LIMIT_OBJECT;
	return parse_limit(name, text, &parser->store->limit.object_bytes);
}

static bool set_user_limit(struct parser *parser, const char *name,
			   const char *text)
{
	parser->store->limit.flags |= DEFPAGER_LIMIT_USER;
	return parse_limit(name, text, &parser->store->limit.user_bytes);
}

static bool set_count(struct parser *parser, const char *name,
		      const char *text)
{
	parser->segment->request.have_count = true;
	return parse_records(name, text, &parser->segment->request.count);
}

static bool set_segment_discard(struct parser *parser, const char *name,
				const char *text)
{
	return parse_switch(name, text, &parser->segment->request.discard);
}

static bool set_force(struct parser *parser, const char *name,
		      const char *text)
{
	return parse_switch(name, text, &parser->segment->request.force);
}

static bool set_offset(struct parser *parser, const char *name,
		       const char *text)
{
	parser->segment->request.have_offset = true;
	return parse_records(name, text, &parser->segment->request.offset);
}

static bool set_record_size(struct parser *parser, const char *name,
			    const char *text)
{
	return parse_record_size(name, text,
				 &parser->segment->request.record_size);
}

static bool set_store(struct parser *parser, const char *name, const char *text)
{
	(void)name;
	parser->segment->request.store = copy(text);
	return true;
}

struct setting {
	const char *key;
	bool of_store;	/* or of a segment */
	/* False, after a message that begins with the name, if it is wrong. */
	bool (*set)(struct parser *parser, const char *name, const char *text);
	__u32 flag;	/* of the store, instead */
};

static const struct setting settings[] = {
	{ "checksum", true, NULL, DEFPAGER_STORE_CHECKSUM },
	{ "cluster-size", true, set_cluster_size, 0 },
	{ "discard", true, NULL, DEFPAGER_STORE_DISCARD },
	{ "encrypt", true, NULL, DEFPAGER_STORE_ENCRYPT },
	{ "exclusive", true, NULL, DEFPAGER_STORE_EXCLUSIVE },
	{ "object-limit", true, set_object_limit, 0 },
	{ "priority", true, set_priority, 0 },
	{ "user-limit", true, set_user_limit, 0 },
	{ "count", false, set_count, 0 },
	{ "discard", false, set_segment_discard, 0 },
	{ "force", false, set_force, 0 },
	{ "offset", false, set_offset, 0 },
	{ "record-size", false, set_record_size, 0 },
	{ "store", false, set_store, 0 },
};

static bool set_setting(struct parser *parser, const struct setting *setting,
			const char *name, const char *text)
{
	bool on;

	if (setting->set)
		return setting->set(parser, name, text);
	if (!parse_switch(name, text, &on))
		return false;
	if (on)
		parser->store->create.flags |= setting->flag;
	return true;
}

#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static void parse_setting(struct parser *parser, const char *key,
			  const char *text)
{
	size_t i = 0;
	char *name;

	if (parser->unknown)
		return;
	if (!parser->store && !parser->segment) {
		wrong(parser, key, "a section has to come first, as "
		      "\"[store NAME]\" or \"[segment DEVICE]\"");
		return;
	}
	while (i < NR_SETTINGS && (settings[i].of_store != !!parser->store ||
				   strcmp(settings[i].key, key)))
		i++;
	if (i == NR_SETTINGS) {
		wrong(parser, key, parser->store
		      ? "not a setting of a store, which are checksum, "
			"cluster-size, discard, encrypt, exclusive, "
			"object-limit, priority and user-limit"
		      : "not a setting of a segment, which are count, discard, "
			"force, offset, record-size and store");
		return;
	}
	if (parser->seen & 1U << i) {
		wrong(parser, key, "is set twice in this section");
		return;
	}
	parser->seen |= 1U << i;
	name = at_line(parser, key);
	if (!set_setting(parser, &settings[i], name, text))
		parser->failed = true;
	free(name);
}

/* --- sections --- */

/* An array with room for one more, which is zero. */
static void *grow(void *array, size_t count, size_t size)
{
	array = reallocarray(array, count + 1, size);
	if (!array)
		die_no_memory();
	memset((char *)array + count * size, 0, size);
	return array;
}

static struct config_store *find_store(const struct config *config,
				       const char *name)
{
	for (size_t i = 0; i < config->nr_stores; i++)
		if (!strcmp(config->stores[i].name, name))
			return &config->stores[i];
	return NULL;
}

static void begin_store(struct parser *parser, const char *name)
{
	struct config *config = parser->config;

	if (find_store(config, name))
		wrong(parser, name, "there is a section of this store before");
	config->stores = grow(config->stores, config->nr_stores,
			      sizeof(*config->stores));
	parser->store = &config->stores[config->nr_stores++];
	parser->store->location = at_line(parser, name);
	parser->store->name = copy(name);
	parser->store->create.size = sizeof(parser->store->create);
	parser->store->limit.size = sizeof(parser->store->limit);
}

static void begin_segment(struct parser *parser, const char *path)
{
	struct config *config = parser->config;

	config->segments = grow(config->segments, config->nr_segments,
				sizeof(*config->segments));
	parser->segment = &config->segments[config->nr_segments++];
	parser->segment->line = parser->line;
	parser->segment->request = (struct segment_request) {
		.path = copy(path),
		.name = at_line(parser, path),
		.store = DEFPAGER_DEFAULT_STORE,
		.how_to_force = "\"force = yes\"",
	};
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* What stands between the brackets. */
static void begin_section(struct parser *parser, char *text)
{
	char *name = text + strcspn(text, " \t");
	bool store, segment;

	if (*name)
		*name++ = '\0';
	name = trim(name);
	store = !strcmp(text, "store");
	segment = !strcmp(text, "segment");
	parser->store = NULL;
	parser->segment = NULL;
	parser->seen = 0;
	parser->unknown = !store && !segment;
	if (parser->unknown)
		wrong(parser, text, "not a section, which are "
		      "\"[store NAME]\" and \"[segment DEVICE]\"");
	else if (!*name)
		wrong(parser, text, store ? "wants a name, as \"[store NAME]\""
					  : "wants a device, as "
					    "\"[segment DEVICE]\"");
	if (segment)
		begin_segment(parser, name);
	else if (store)
		begin_store(parser, name);
}

/* --- the file --- */

static void parse_line(struct parser *parser, char *line)
{
	char *text = trim(line);
	size_t length = strlen(text);
	char *value;

	if (!*text || *text == '#' || *text == ';')
		return;
	if (*text == '[' && text[length - 1] == ']') {
		text[length - 1] = '\0';
		begin_section(parser, trim(text + 1));
		return;
	}
	value = strchr(text, '=');
	if (!value || *text == '[') {
		wrong(parser, text, *text == '[' ? "the \"]\" is missing"
						 : "not a section, setting or "
						   "comment");
		return;
	}
	*value++ = '\0';
	parse_setting(parser, trim(text), trim(value));
}

/* Only in the end is it known which stores there are. */
static void check_stores(struct parser *parser)
{
	const struct config *config = parser->config;

	for (size_t i = 0; i < config->nr_segments; i++) {
		const char *store = config->segments[i].request.store;

		if (!strcmp(store, DEFPAGER_DEFAULT_STORE) ||
		    find_store(config, store))
			continue;
		parser->line = config->segments[i].line;
		wrong(parser, store, "the segment's store has no section");
	}
}

bool config_read(const char *path, struct config *config)
{
	struct parser parser = { .path = path, .config = config };
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *line = NULL;

	if (!file) {
		complain("%s: %s%s", path, strerror(errno), errno == ENOENT ?
			 "; describe stores and segments there (man "
			 "defpager.conf), or name another file" : "");
		return false;
	}
	errno = 0;
	while (getline(&line, &size, file) >= 0) {
		parser.line++;
		parse_line(&parser, line);
		errno = 0;
	}
	if (errno) {
		complain("%s: %s", path, strerror(errno));
		parser.failed = true;
	}
	free(line);
	fclose(file);
	check_stores(&parser);
	return !parser.failed;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Listening to the events that the pager broadcasts.
 *
 * As in paging_utils.h, what cannot fail ends the process.
 */
#ifndef EVENT_UTILS_H
#define EVENT_UTILS_H

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "paging_utils.h"

struct event_message {
	size_t length;
	char text[8192];
};

static inline int listen_to_events(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	must(fd >= 0);
	must(!bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* The value of a line of a message, or NULL. */
static inline const char *event_value(const struct event_message *message,
				      const char *key)
{
	const char *line = message->text, *end = line + message->length;
	size_t len = strlen(key);

	for (; line < end; line += strlen(line) + 1)
		if (!strncmp(line, key, len) && line[len] == '=')
			return line + len + 1;
	return NULL;
}

static inline long long event_number(const struct event_message *message,
				     const char *key)
{
	const char *value = event_value(message, key);

	return value ? atoll(value) : -1;
}

/* Waits, a minute at most, for a message of the pager's with this key. */
static inline bool event_receive(int events, const char *key,
				 struct event_message *message)
{
	struct pollfd poll_fd = { .fd = events, .events = POLLIN };
	ssize_t length;

	while (poll(&poll_fd, 1, 60000) == 1) {
		length = recv(events, message->text, sizeof(message->text) - 1,
			      0);
		must(length > 0);
		message->text[length] = '\0';
		message->length = length;
		if (!event_value(message, key))
			continue;
		must(!strcmp(message->text,
			     "change@/devices/virtual/misc/defpager"));
		return true;
	}
	return false;
}

#endif /* EVENT_UTILS_H */

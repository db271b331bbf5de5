/* SPDX-License-Identifier: MIT */
/*
 * notify: tells systemd when we serve and when we stop (Type=notify), by sd_notify(3)'s protocol
 * without libsystemd: one datagram to $NOTIFY_SOCKET. Does nothing where that is not set. Never
 * blocks, never fails. Any thread that changes no environment.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

void	notify_ready(void);	/* the listeners are open */
void	notify_stopping(void);	/* a drain has begun */

#endif

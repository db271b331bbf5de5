/* SPDX-License-Identifier: MIT */
/*
 * notify: sd_notify(3)'s protocol, without libsystemd: one datagram to $NOTIFY_SOCKET. Silent when
 * nobody asked.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

void	notify_ready(void);
void	notify_stopping(void);

#endif

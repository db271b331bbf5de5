/* SPDX-License-Identifier: MIT */
/*
 * hex: the value of one hexadecimal digit, 0 to 15; -1 for any other byte. Any thread.
 */
#ifndef TENANTGATE_BASE_HEX_H
#define TENANTGATE_BASE_HEX_H

static inline int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif

#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes configure out of configure.ac; run once in a fresh clone.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
exec autoreconf --install --force --warnings=all

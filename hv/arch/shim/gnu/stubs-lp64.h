/* SPDX-License-Identifier: MIT */
/* glibc wraps this header for lp64d alone on Debian; freestanding code needs nothing of it. */

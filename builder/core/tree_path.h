/* SPDX-License-Identifier: MIT */
/* Which names and links of a pushed tree may become files of a build. Pure. */
#ifndef DEIS_BUILDER_TREE_PATH_H
#define DEIS_BUILDER_TREE_PATH_H

#include "lib/base/str.h"

/* One name in a tree: not empty, ".", ".." or ".git" (in any case), no slash, no NUL, 255 bytes at
 * most. */
bool tree_path_name_ok(struct deis_str name);

/*
 * Does a symlink at path (relative to the root) stay in the tree? The target must be relative, its
 * ".." parts must come first and not climb above the root. A ".." further on is refused: what
 * stands before it may be a link itself.
 */
bool tree_path_link_ok(struct deis_str path, struct deis_str target);

#endif

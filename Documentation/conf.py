# SPDX-License-Identifier: GPL-2.0-only
#
# For sphinx-build, by way of tools/lint/docs, which sets:
#   DEFPAGER_TOP  the project
#   LINUX         where the kernel's scripts and sphinx extensions are
import os
import sys

linux = os.environ["LINUX"]
sys.path.insert(0, os.path.join(linux, "Documentation/sphinx"))

extensions = ["kerneldoc"]
kerneldoc_bin = os.path.join(linux, "scripts/kernel-doc")
kerneldoc_srctree = os.environ["DEFPAGER_TOP"]

project = "defpager"
copyright = "the defpager authors"
primary_domain = "c"
highlight_language = "none"
# Types of the kernel and of C are no links to anywhere.
nitpicky = False
html_theme = "alabaster"
html_static_path = []
html_copy_source = False

// SPDX-License-Identifier: Apache-2.0
// `rollcall setup database`: run once by an administrator; resolves the watched tables.
#pragma once

int cmd_setup(int argc, char **argv);

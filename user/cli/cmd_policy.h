// SPDX-License-Identifier: Apache-2.0
// `rollcall policy`: checks rules, tries them against recordings, lists what they can ask for.
#pragma once

int cmd_policy(int argc, char **argv);

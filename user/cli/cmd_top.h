// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_top(int argc, char **argv);

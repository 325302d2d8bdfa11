// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_baseline(int argc, char **argv);

// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_show(int argc, char **argv);

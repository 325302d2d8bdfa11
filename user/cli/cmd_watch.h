// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_watch(int argc, char **argv);

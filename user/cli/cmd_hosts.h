// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_hosts(int argc, char **argv);

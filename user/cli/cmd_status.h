// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_status(int argc, char **argv);

// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_record(int argc, char **argv);

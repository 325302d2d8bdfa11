// SPDX-License-Identifier: Apache-2.0
#pragma once

int policy_list(int argc, char **argv);

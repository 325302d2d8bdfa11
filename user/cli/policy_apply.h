// SPDX-License-Identifier: Apache-2.0
#pragma once

int policy_apply(int argc, char **argv);

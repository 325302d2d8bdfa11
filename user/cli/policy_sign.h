// SPDX-License-Identifier: Apache-2.0
#pragma once

int policy_sign(int argc, char **argv);

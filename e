4.96 s wall 1.76 user

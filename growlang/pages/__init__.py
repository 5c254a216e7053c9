"""Pages to look at nets and their growth: one HTML file each, which loads nothing."""
